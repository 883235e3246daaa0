package engine_test

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// The accounts besides imAccount and kitAccount, which belong together.
var (
	otherIM  = engine.IMAccount{Accid: "other", Token: "im2-" + secret}
	otherKit = engine.KitAccount{UserUUID: "user2", Token: "kit2-" + secret}
)

// cloudOfTwo makes a cloud of one AppKey in which both pairs of accounts exist.
func cloudOfTwo(o mockim.ServiceOptions) *mockim.Service {
	o.AppKey = appKey
	cloud := mockim.NewService(o)
	cloud.AddIM(imAccount)
	cloud.AddIM(otherIM)
	cloud.Bind(kitAccount, imAccount.Accid)
	cloud.Bind(otherKit, otherIM.Accid)
	return cloud
}

// A hostApp is an app with an engine over a device, which it can also drive
// behind the engine's back.
type hostApp struct {
	*engine.Engine
	device *mockim.Device
}

// A deed is one action of a host.
type deed func(t *testing.T, h hostApp) error

func doInitIM(t *testing.T, h hostApp) error         { return h.InitIM(t.Context()) }
func doLoginAnonymous(t *testing.T, h hostApp) error { return h.LoginAnonymous(t.Context()) }
func doLogoutKit(t *testing.T, h hostApp) error      { return h.LogoutKit(t.Context()) }
func doLogoutIM(t *testing.T, h hostApp) error       { return h.LogoutIM(t.Context()) }
func doClose(_ *testing.T, h hostApp) error          { return h.Close() }
func doHostInit(t *testing.T, h hostApp) error       { return h.device.HostInit(t.Context()) }

func doRenewKit(t *testing.T, h hostApp) error { return h.RenewKit(t.Context(), kitAccount) }

// doKeepKit ends KeepKit as soon as that waits, which is no error here.
func doKeepKit(t *testing.T, h hostApp) error {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k := begin(func() error { return h.KeepKit(ctx, kitAccount) })
	if !k.waits() {
		return k.err
	}
	cancel()
	if err := k.wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("KeepKit returned %v, want the end of its ctx", err)
	}
	return nil
}

func doLoginIM(a engine.IMAccount) deed {
	return func(t *testing.T, h hostApp) error { return h.LoginIM(t.Context(), a) }
}

func doLoginKit(a engine.KitAccount) deed {
	return func(t *testing.T, h hostApp) error { return h.LoginKit(t.Context(), a) }
}

func doHostLogin(a engine.IMAccount) deed {
	return func(t *testing.T, h hostApp) error { return h.device.HostLogin(t.Context(), a) }
}

var operations = map[string]deed{
	"InitIM":            doInitIM,
	"LoginIM as bound":  doLoginIM(imAccount),
	"LoginIM as other":  doLoginIM(otherIM),
	"LoginKit as user1": doLoginKit(kitAccount),
	"LoginKit as user2": doLoginKit(otherKit),
	"KeepKit as user1":  doKeepKit,
	"RenewKit as user1": doRenewKit,
	"LoginAnonymous":    doLoginAnonymous,
	"LogoutKit":         doLogoutKit,
	"LogoutIM":          doLogoutIM,
	"Close":             doClose,
}

// The sets of modes, named as in the table.
var (
	modeSets = map[string][]engine.Mode{
		"any":            {engine.AutoDetect, engine.ReuseIM, engine.AutoLogin},
		"not reuse_im":   {engine.AutoDetect, engine.AutoLogin},
		"not auto_login": {engine.AutoDetect, engine.ReuseIM},
		"reuse_im":       {engine.ReuseIM},
		"auto_login":     {engine.AutoLogin},
	}
	anyMode    = modeSets["any"]
	logsIMIn   = modeSets["not reuse_im"]
	canReuseIM = modeSets["not auto_login"]
)

// A situation is one that an engine can be in, with the modes that allow it,
// and the steps that lead there.
type situation struct {
	modes []engine.Mode
	begin []deed
}

var situations = map[string]situation{
	"uninitialized":               {anyMode, nil},
	"im_initialized by host":      {anyMode, []deed{doInitIM}},
	"im_initialized by engine":    {logsIMIn, []deed{doLoginKit(kitAccount), doLogoutKit}},
	"uninitialized + bound":       {anyMode, []deed{doHostInit, doHostLogin(imAccount)}},
	"uninitialized + other":       {anyMode, []deed{doHostInit, doHostLogin(otherIM)}},
	"im_initialized + bound":      {anyMode, []deed{doInitIM, doHostLogin(imAccount)}},
	"im_initialized + other":      {anyMode, []deed{doInitIM, doHostLogin(otherIM)}},
	"im_logged_in by host":        {anyMode, []deed{doInitIM, doLoginIM(imAccount)}},
	"im_logged_in adopted":        {anyMode, []deed{doHostInit, doHostLogin(imAccount), doInitIM}},
	"kit_logged_in over host's":   {canReuseIM, []deed{doInitIM, doLoginIM(imAccount), doLoginKit(kitAccount)}},
	"kit_logged_in over adopted":  {canReuseIM, []deed{doHostInit, doHostLogin(imAccount), doLoginKit(kitAccount)}},
	"kit_logged_in over engine's": {logsIMIn, []deed{doLoginKit(kitAccount)}},
	"kit_logged_in anonymous":     {logsIMIn, []deed{doLoginAnonymous}},
	"closed":                      {anyMode, []deed{doInitIM, doLoginIM(imAccount), doClose}},
}

// reach makes a host in the situation of that name.
func reach(t *testing.T, name string, mode engine.Mode) hostApp {
	t.Helper()
	device := cloudOfTwo(mockim.ServiceOptions{}).Device()
	h := hostApp{open(t, device, &engine.Options{Mode: mode}), device}
	for i, do := range situations[name].begin {
		if err := do(t, h); err != nil {
			t.Fatalf("step %d to %s: %v", i, name, err)
		}
	}
	if state := strings.Fields(name)[0]; state != "closed" && h.Status().State.String() != state {
		t.Fatalf("%s begins in %v", name, h.Status().State)
	}
	return h
}

// An operationRow is one line of operationTable.
type operationRow struct {
	operation, situation string
	modes                []engine.Mode
	next                 engine.State
	im                   string // "" for nobody
	code                 engine.Code
	published, calls     []string
}

var tableCodes = map[string]engine.Code{
	"nil":         0,
	"100004":      engine.ErrIMNotLoggedIn,
	"100005":      engine.ErrIMAccountMismatch,
	"112001":      engine.ErrReuseNoAnonymous,
	"ErrClosed":   engine.ErrClosed,
	"ErrState":    engine.ErrState,
	"ErrIMInUse":  engine.ErrIMInUse,
	"ErrKitInUse": engine.ErrKitInUse,
}

func operationRows(t *testing.T) (rows []operationRow) {
	t.Helper()
	var operations []string
	for line := range strings.Lines(operationTable) {
		cells := strings.Split(line, "|")
		for i := range cells {
			if cells[i] = strings.TrimSpace(cells[i]); cells[i] == "-" {
				cells[i] = ""
			}
		}
		switch {
		case len(cells) == 1 && cells[0] == "":
			continue
		case len(cells) == 1:
			operations = strings.Split(cells[0], ", ")
			continue
		case len(cells) != 7:
			t.Fatalf("%d cells, want 7: %s", len(cells), line)
		}
		row := operationRow{situation: cells[0], modes: modeSets[cells[1]], im: cells[3]}
		code, ok := tableCodes[cells[4]]
		if err := row.next.UnmarshalText([]byte(cells[2])); err != nil || !ok || row.modes == nil {
			t.Fatalf("not a state, a mode or an error (%v): %s", err, line)
		}
		row.code, row.published = code, strings.Fields(cells[5])
		if cells[6] != "" {
			row.calls = strings.Split(cells[6], ", ")
		}
		for _, row.operation = range operations {
			rows = append(rows, row)
		}
	}
	return rows
}

func TestOperations(t *testing.T) {
	for _, row := range operationRows(t) {
		for _, mode := range row.modes {
			t.Run(row.operation+" from "+row.situation+" in "+mode.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { row.test(t, mode) })
			})
		}
	}
}

func (row operationRow) test(t *testing.T, mode engine.Mode) {
	h := reach(t, row.situation, mode)
	before, called := h.Status(), len(h.device.Calls())
	next, stop := iter.Pull(h.Watch(t.Context()))
	defer stop()
	next()

	err := operations[row.operation](t, h)

	checkOperationError(t, row, before.State, err)
	after, last := h.Status(), before
	var published []string
	for last.Seq < after.Seq {
		last, _ = next()
		published = append(published, string(last.Via))
	}
	if !slices.Equal(published, row.published) {
		t.Errorf("published %q, want %q", published, row.published)
	}
	if last != after {
		t.Errorf("the last status published is %+v, want what Status returns: %+v", last, after)
	}
	if after.State != row.next {
		t.Errorf("state %v, want %v", after.State, row.next)
	}
	if got := guest(h.device.LoggedIn()); got != row.im {
		t.Errorf("%q is logged in to IM, want %q", got, row.im)
	}
	accid := ""
	if row.next >= imLoggedIn {
		accid = row.im
	}
	if got := guest(after.Accid); got != accid {
		t.Errorf("the engine has %q logged in to IM, want %q", got, accid)
	}
	var calls []string
	for _, call := range h.device.Calls()[called:] {
		calls = append(calls, guest(call))
	}
	if !slices.Equal(calls, row.calls) {
		t.Errorf("calls %q, want %q", calls, row.calls)
	}
}

func checkOperationError(t *testing.T, row operationRow, began engine.State, err error) {
	t.Helper()
	if row.code == 0 {
		if err != nil {
			t.Errorf("got %v, want nil", err)
		}
		return
	}
	if !errors.Is(err, row.code) {
		t.Errorf("got %v, want %v", err, row.code)
	}
	var failure *engine.Error
	if op, _, _ := strings.Cut(row.operation, " "); !errors.As(err, &failure) || failure.Op != op || failure.State != began || failure.Call != "" {
		t.Errorf("%#v is not an *engine.Error of %s in %v, and of no call that failed", err, op, began)
	}
}

var madeID = regexp.MustCompile(`[0-9a-f]{32}`)

// guest replaces the id that the service made for a temporary account.
func guest(s string) string { return madeID.ReplaceAllString(s, "guest") }

// Every operation has exactly one row for each situation and each mode in which
// that situation can be reached.
func TestOperationsComplete(t *testing.T) {
	type key struct {
		operation, situation string
		mode                 engine.Mode
	}
	rows := map[key]int{}
	for _, row := range operationRows(t) {
		for _, mode := range row.modes {
			rows[key{row.operation, row.situation, mode}]++
		}
	}
	for operation := range operations {
		for name, situation := range situations {
			for _, mode := range situation.modes {
				k := key{operation, name, mode}
				if rows[k] != 1 {
					t.Errorf("%d rows for %s from %s in %v, want 1", rows[k], k.operation, k.situation, k.mode)
				}
				delete(rows, k)
			}
		}
	}
	for k := range rows {
		t.Errorf("%s from %s in %v cannot be reached", k.operation, k.situation, k.mode)
	}
}
