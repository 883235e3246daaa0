package engine_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

const (
	uninitialized = engine.Uninitialized
	imInitialized = engine.IMInitialized
	imLoggedIn    = engine.IMLoggedIn
	kitLoggedIn   = engine.KitLoggedIn

	none engine.State = 255 // a hole: the trigger leads nowhere from here
)

var states = []engine.State{uninitialized, imInitialized, imLoggedIn, kitLoggedIn}

// matrix says where each trigger leads from each of the four states. It is
// written by hand, not taken from the table.
var matrix = []struct {
	trigger engine.Trigger
	to      [4]engine.State
}{
	//                    from uninitialized, imInitialized, imLoggedIn,    kitLoggedIn
	{engine.TriggerInitIM, [4]engine.State{imInitialized, none, none, none}},
	{engine.TriggerLoginIM, [4]engine.State{none, imLoggedIn, none, none}},
	{engine.TriggerLoginKit, [4]engine.State{none, none, kitLoggedIn, none}},
	{engine.TriggerLogoutKit, [4]engine.State{none, none, none, imLoggedIn}},
	{engine.TriggerLogoutIM, [4]engine.State{none, none, imInitialized, none}},
	{engine.TriggerKitLost, [4]engine.State{none, none, none, imLoggedIn}},
	{engine.TriggerIMLost, [4]engine.State{none, none, imInitialized, imInitialized}},
	{engine.TriggerClose, [4]engine.State{none, uninitialized, uninitialized, uninitialized}},
}

func TestTransitionsMatrix(t *testing.T) {
	table := slices.Collect(engine.Transitions())
	edges := 0
	for _, row := range matrix {
		for from, want := range row.to {
			got := none
			for _, edge := range table {
				if edge.Trigger == row.trigger && edge.From == states[from] {
					got = edge.To
				}
			}
			if want != none {
				edges++
			}
			if got != want {
				t.Errorf("%s from %v leads to %v, want %v", row.trigger, states[from], got, want)
			}
		}
	}
	if len(table) != edges {
		t.Errorf("%d edges, want %d: looplab keeps the last of two with the same trigger and source", len(table), edges)
	}
}

// The machine is tested without an engine, because an engine would not even try
// an edge that the table does not have.
func TestMachineAlone(t *testing.T) {
	for _, row := range matrix {
		for from, want := range row.to {
			var wantErr error
			if want == none {
				want, wantErr = states[from], engine.ErrState
			}
			got, err := engine.Take(states[from], row.trigger)
			if got != want || !errors.Is(err, wantErr) {
				t.Errorf("%s from %v: got %v, %v; want %v, %v", row.trigger, states[from], got, err, want, wantErr)
			}
		}
	}
}

// A host may break out of the loop.
func TestTransitionsBreak(t *testing.T) {
	for edge := range engine.Transitions() {
		if want := (engine.Transition{Trigger: engine.TriggerInitIM, From: uninitialized, To: imInitialized}); edge != want {
			t.Errorf("the first edge is %v, want %v", edge, want)
		}
		break
	}
}

// An operation of the rows below runs in the state that the edge leaves. begin
// prepares e for it if climbing alone does not.
type edgeUser struct {
	name  string
	begin func(e *engine.Engine, f *fake)
	run   func(t *testing.T, e *engine.Engine) error
}

func lost(of func(*fake) engine.Notify) func(*engine.Engine, *fake) {
	return func(e *engine.Engine, f *fake) {
		release := e.Hold()
		of(f).Lost(engine.ErrTokenExpired)
		release()
	}
}

var (
	opInitIM    = edgeUser{"InitIM", nil, func(t *testing.T, e *engine.Engine) error { return e.InitIM(t.Context()) }}
	opLoginIM   = edgeUser{"LoginIM", nil, func(t *testing.T, e *engine.Engine) error { return e.LoginIM(t.Context(), imAccount) }}
	opLoginKit  = edgeUser{"LoginKit", nil, func(t *testing.T, e *engine.Engine) error { return e.LoginKit(t.Context(), kitAccount) }}
	opLogoutKit = edgeUser{"LogoutKit", nil, func(t *testing.T, e *engine.Engine) error { return e.LogoutKit(t.Context()) }}
	opLogoutIM  = edgeUser{"LogoutIM", nil, func(t *testing.T, e *engine.Engine) error { return e.LogoutIM(t.Context()) }}
	opClose     = edgeUser{"Close", nil, func(_ *testing.T, e *engine.Engine) error { return e.Close() }}
	kitLost     = edgeUser{"LogoutKit after the loss", lost((*fake).kitNotify), opLogoutKit.run}
	imLost      = edgeUser{"LogoutIM after the loss", lost((*fake).imNotify), opLogoutIM.run}
)

// Each edge is needed: the operation of its row succeeds with it and fails
// without it.
func TestEachEdgeIsNeeded(t *testing.T) {
	rows := []struct {
		edge engine.Transition
		op   edgeUser
	}{
		{engine.Transition{Trigger: engine.TriggerInitIM, From: uninitialized, To: imInitialized}, opInitIM},
		{engine.Transition{Trigger: engine.TriggerLoginIM, From: imInitialized, To: imLoggedIn}, opLoginIM},
		{engine.Transition{Trigger: engine.TriggerLoginKit, From: imLoggedIn, To: kitLoggedIn}, opLoginKit},
		{engine.Transition{Trigger: engine.TriggerLogoutKit, From: kitLoggedIn, To: imLoggedIn}, opLogoutKit},
		{engine.Transition{Trigger: engine.TriggerLogoutIM, From: imLoggedIn, To: imInitialized}, opLogoutIM},
		{engine.Transition{Trigger: engine.TriggerKitLost, From: kitLoggedIn, To: imLoggedIn}, kitLost},
		{engine.Transition{Trigger: engine.TriggerIMLost, From: imLoggedIn, To: imInitialized}, imLost},
		{engine.Transition{Trigger: engine.TriggerIMLost, From: kitLoggedIn, To: imInitialized}, imLost},
		{engine.Transition{Trigger: engine.TriggerClose, From: imInitialized, To: uninitialized}, opClose},
		{engine.Transition{Trigger: engine.TriggerClose, From: imLoggedIn, To: uninitialized}, opClose},
		{engine.Transition{Trigger: engine.TriggerClose, From: kitLoggedIn, To: uninitialized}, opClose},
	}
	tested := map[engine.Transition]bool{}
	for _, row := range rows {
		tested[row.edge] = true
		t.Run(string(row.edge.Trigger)+" from "+row.edge.From.String(), func(t *testing.T) {
			try := func(missing engine.Transition) error {
				f := newFake()
				e, err := engine.NewWithout(f, appKey, nil, missing)
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				climb(t, e, row.edge.From)
				if row.op.begin != nil {
					row.op.begin(e, f)
				}
				return row.op.run(t, e)
			}
			if err := try(engine.Transition{}); err != nil {
				t.Errorf("%s with every edge: %v", row.op.name, err)
			}
			if err := try(row.edge); !errors.Is(err, engine.ErrState) {
				t.Errorf("%s without this edge: %v, want ErrState", row.op.name, err)
			}
		})
	}
	for edge := range engine.Transitions() {
		if !tested[edge] {
			t.Errorf("no row for %v", edge)
		}
	}
}
