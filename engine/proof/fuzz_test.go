package proof_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A script has steps of two bytes: an action and its target. together, added to
// the action, starts the next step before this one has come to rest; ended,
// added to the target, gives the operation a ctx that has ended.
const (
	stepInitIM byte = iota
	stepLoginIM
	stepLoginKit
	stepLoginAnonymous
	stepLogoutKit
	stepLogoutIM
	stepClose
	stepHostInit
	stepHostLogin
	stepHostLogout
	stepKick
	stepEndIM
	stepEndKit
	stepLink
	stepSecondLogin
	stepFail
	stepBlock
	stepRelease
	stepCancel
	stepLinger
	stepPanic
	stepPause
	stepKeepKit
	stepRenewKit
	stepExpireKit
	stepExpireIM
	stepSource
	stepCount

	together byte = 0x80
	ended    byte = 0x40
)

var stepNames = [...]string{"InitIM", "LoginIM", "LoginKit", "LoginAnonymous", "LogoutKit", "LogoutIM", "Close", "HostInit", "HostLogin",
	"HostLogout", "Kick", "EndIM", "EndKit", "Link", "SecondLogin", "Fail", "Block", "Release", "Cancel",
	"Linger", "Panic", "Pause", "KeepKit", "RenewKit", "ExpireKit", "ExpireIM", "Source"}

// The accounts of the logins: the target is an index of one of these two.
var (
	fuzzIM = []engine.IMAccount{imAccount, otherIM,
		{Accid: "MyAccid", Token: imAccount.Token}, {Accid: imAccount.Accid, Token: "wrong-" + secret}}
	fuzzKit = []engine.KitAccount{kitAccount, otherKit,
		{UserUUID: "USER1", Token: kitAccount.Token}, {UserUUID: kitAccount.UserUUID, Token: "wrong-" + secret},
		{UserUUID: "unbound", Token: secret}, {UserUUID: "user1b", Token: secret}}
)

const accidOfStatus byte = 3 // of Kick and EndIM: whoever is logged in

// The calls for Fail and Block: the target is an index of this list. For Fail,
// an index of fuzzErrors, times the number of calls, is added to it.
var fuzzCalls = []string{"InitIM", "LoginIM", "LogoutIM", "AdoptIM", "Authenticate", "Anonymous", "LoginKit", "LogoutKit", "HostLogin", "RenewKit"}

const (
	callInitIM byte = iota
	callLoginIM
	callLogoutIM
	callAdoptIM
	callAuthenticate
	callAnonymous
	callLoginKit
	callLogoutKit
	callHostLogin
	callRenewKit
)

var fuzzErrors = []error{engine.ErrUnavailable, errors.New("a foreign error"), context.Canceled, engine.ErrIMNotLoggedIn}

var fuzzCauses = []error{engine.ErrTokenExpired, errors.New("a foreign cause"), nil, &engine.KickError{Reason: engine.KickedByServer}}

// The first byte of a script is the mode, with these added to it.
const (
	multiDevice   byte = 3
	requireOnline byte = 6
	hookPanics    byte = 12
	withSources   byte = 24
)

// FuzzEngine has hosts, the service and faults do what the script says, in any
// order and at once. After each step it checks the rules that must always hold.
func FuzzEngine(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add(seed)
		f.Add(append([]byte{seed[0] + hookPanics}, seed[1:]...))
		f.Add(append([]byte{seed[0]&^withSources + withSources}, seed[1:]...))
	}
	for _, script := range fuzzCorpus(f) {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 || len(script) > 1+2*64 {
			t.Skip("too short, or too long to be of use")
		}
		synctest.Test(t, func(t *testing.T) { playScript(t, script) })
	})
}

// fuzzCorpus returns the scripts worth keeping of ten million executions: each
// reaches code that the ones before it did not. The file has one per line, in
// base64.
func fuzzCorpus(f *testing.F) (scripts [][]byte) {
	text, err := os.ReadFile("testdata/scripts.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		script, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			f.Fatal(err)
		}
		scripts = append(scripts, script)
	}
	return scripts
}

const (
	detect = byte(engine.AutoDetect)
	reuse  = byte(engine.ReuseIM)
	auto   = byte(engine.AutoLogin)
)

var fuzzSeeds = [][]byte{
	// Each mode's way up and down.
	{auto, stepLoginKit, 0, stepLogoutKit, 0, stepLoginKit, 1, stepClose, 0, stepLoginKit, 0},
	{reuse, stepInitIM, 0, stepLoginIM, 0, stepLoginKit, 0, stepLink, 0, stepLink, 1, stepLogoutKit, 0, stepLogoutIM, 0},
	{detect, stepHostInit, 0, stepHostLogin, 0, stepLoginKit, 0, stepHostLogin, 1, stepLoginKit, 0, stepLoginKit, 1, stepClose, 0},
	{detect, stepLoginAnonymous, 0, stepLoginKit, 0, stepKick, accidOfStatus, stepLoginAnonymous, 0, stepLogoutIM, 0},
	// A login in progress: interrupted, given up, lost, and overtaken by
	// the host.
	{auto, stepBlock, callLoginKit, stepLoginKit, 0, stepLogoutKit, 0, stepRelease, 0, stepLoginKit, 0},
	{auto, stepBlock, callLoginIM, stepLoginKit, 0, stepCancel, 0, stepRelease, 0, stepLoginKit, 0},
	{auto, stepBlock, callLoginKit, stepLoginKit, 0, stepKick, 0, stepRelease, 0, stepInitIM, 0},
	{auto, stepBlock, callLoginIM, stepLoginKit, 0, stepHostLogin, 1, stepRelease, 0, stepLoginKit, 0},
	{detect, stepHostInit, 0, stepBlock, callHostLogin, stepHostLogin, 0, stepLoginKit, 0, stepRelease, 0, stepLogoutKit, 0},
	{detect, stepHostInit, 0, stepBlock, callHostLogin, stepHostLogin, 3, stepLoginKit, 0, stepRelease, 0, stepClose, 0},
	{detect, stepBlock, callLoginKit, stepLoginKit, 0, stepLoginKit, 1, stepLoginKit, 0, stepClose, 0, stepRelease, 0},
	{auto, stepLinger, 0, stepLoginKit, 0, stepKick, 0, stepRelease, 0, stepLoginKit, 1},
	{auto, stepLinger, 0, stepLoginKit, 0, stepCancel, 0, stepRelease, 0, stepInitIM, 0, stepLinger, 0, stepLoginIM, 1, stepLogoutIM, 0, stepRelease, 0},
	{auto, stepLinger, 0, stepLoginKit, 0, stepHostLogin, 1, stepRelease, 0, stepLoginKit, 0},
	{reuse, stepInitIM, 0, stepLoginIM, 0, stepLinger, 0, stepLoginKit, 0, stepClose, 0, stepRelease, 0},
	// A login that fails half-way.
	{auto, stepFail, callLoginKit, stepLoginKit, 0, stepFail, callLoginIM, stepLoginKit, 0, stepFail, callInitIM, stepLoginAnonymous, 0},
	{reuse, stepInitIM, 0, stepLoginIM, 0, stepLinger, 0, stepLoginKit, 0, stepCancel, 0, stepRelease, 0},
	{auto, stepPanic, 0, stepLoginKit, 0, stepInitIM, 0, stepPanic, 0, stepLoginIM, 0, stepLoginIM, 0, stepPanic, 0, stepLoginKit, 0},
	// Logouts that hang, fail, and meet a loss.
	{auto, stepLoginKit, 0, stepBlock, callLogoutIM, stepLogoutKit, 0, stepLoginKit, 0, stepPause, 0, stepRelease, 0},
	{auto, stepLoginKit, 0, stepBlock, callLogoutKit, stepLogoutKit, 0, stepKick, 0, stepRelease, 0, stepLoginKit, 0},
	{auto, stepLoginKit, 0, stepBlock, callLogoutKit, stepLogoutKit, 0, stepHostLogin, 1, stepRelease, 0, stepClose, 0},
	{auto, stepFail, callLogoutKit, stepFail, callLogoutIM, stepLoginKit, 0, stepLogoutIM, ended, stepLoginKit, ended},
	{auto, stepLoginKit, 0, stepBlock, callLogoutIM, stepEndKit, 0, stepHostLogin, 0, stepPause, 0, stepLoginKit, 0},
	// The service.
	{detect + multiDevice, stepLoginKit, 0, stepSecondLogin, 0, stepEndKit, 0, stepLoginKit, 0, stepEndIM, 0},
	{reuse + requireOnline, stepHostInit, 0, stepHostLogin, 0, stepLink, 0, stepLoginKit, 0, stepLink, 1, stepLoginKit, 0, stepSecondLogin, 0},
	// KeepKit, and tokens that run out.
	{auto + withSources, stepKeepKit, 3, stepEndKit, 8, stepPause, 0, stepExpireKit, 0, stepPause, 0, stepLogoutKit, 0, stepPause, 0},
	{auto + withSources, stepLoginKit, 3, stepSource, sourceFails, stepExpireKit, 0, stepPause, 0, stepSource, sourceWorks, stepPause, 0, stepClose, 0},
	{auto + withSources, stepLoginKit, 3, stepSource, sourceWaits, stepExpireKit, 0, stepRenewKit, 3, stepLogoutKit, 0, stepRelease, 0, stepLoginKit, 3},
	{auto + withSources, stepKeepKit, 3, stepSource, sourceStale, stepExpireKit, 0, stepPause, 0, stepKeepKit, 0, stepKeepKit, 1, stepClose, 0},
	{auto + withSources, stepLoginKit, 0, stepBlock, callRenewKit, stepExpireKit, 0, stepLogoutKit, 0, stepRelease, 0, stepLoginKit, 3},
	{auto + withSources, stepLoginKit, 0, stepBlock, callRenewKit, stepRenewKit, 3, stepKick, 0, stepRelease, 0, stepKeepKit, 3, stepKick, 0},
	{reuse + withSources, stepInitIM, 0, stepLoginIM, 3, stepKeepKit, 3, stepExpireIM, 0, stepLink, 0, stepLink, 1, stepLogoutIM, 0},
	{reuse + withSources, stepInitIM, 0, stepLoginIM, 3, stepSource, sourceWaits, stepExpireIM, 0, stepLink, 0, stepLink, 1, stepLogoutIM, 0, stepRelease, 0},
	{detect, stepKeepKit, 0, stepExpireKit, 0, stepKeepKit, 0, stepFail, callAuthenticate, stepKeepKit, 0, stepPause, 0, stepLogoutKit, ended},
	{detect + withSources, stepFail, callAuthenticate, stepKeepKit, 3, stepLogoutKit + together, 0, stepKeepKit + together, 3, stepLogoutIM, 0, stepPause, 0},
	// All at once.
	{detect, stepHostInit + together, 0, stepHostLogin + together, 0, stepLoginKit + together, 0, stepLogoutKit + together, 0, stepLoginKit + together, 1,
		stepKick + together, 0, stepLogoutIM + together, 0, stepClose + together, 0, stepLoginAnonymous, 0},
}

// playScript plays the script, and then checks that the cloud still works.
func playScript(t *testing.T, script []byte) {
	mode, options := script[0]%3, script[0]/3
	w := &fuzzWorld{
		t:       t,
		cloud:   cloudOfTwo(mockim.ServiceOptions{MultiDevice: options&(multiDevice/3) != 0}),
		options: engine.Options{Mode: engine.Mode(mode), RequireOnline: options&(requireOnline/3) != 0},
	}
	w.cloud.Bind(fuzzKit[4], "")
	w.cloud.Bind(fuzzKit[5], imAccount.Accid)
	w.device, w.second = w.cloud.Device(), w.cloud.Device()
	w.broken = &brokenDevice{Device: w.device}
	w.bomb = &bomb{calls: map[string]int{}}
	w.tokens = &hostTokens{cloud: w.cloud}
	if options&(hookPanics/3) != 0 {
		w.bomb.every = 11
	}
	if options&(withSources/3) != 0 {
		w.options.KitToken, w.options.IMToken = w.tokens.kitToken, w.tokens.imToken
	}
	w.open()
	defer w.tell(script)
	for script = script[1:]; len(script) >= 2; script = script[2:] {
		w.step(script[0]&^together%stepCount, script[1])
		// A watcher may miss what comes in a long burst, and that is
		// right.
		if script[0]&together == 0 || w.steps == 8 {
			w.rest()
		}
	}
	w.finish()
}

// tell prints a script that fails.
func (w *fuzzWorld) tell(script []byte) {
	if !w.t.Failed() {
		return
	}
	for script = script[1:]; len(script) >= 2; script = script[2:] {
		w.t.Logf("%s %d, together %v, ended %v", stepNames[script[0]&^together%stepCount], script[1]&^ended,
			script[0]&together != 0, script[1]&ended != 0)
	}
}

func (w *fuzzWorld) step(what, whom byte) {
	w.steps++
	i := int(whom &^ ended)
	switch what {
	case stepHostLogin, stepHostLogout, stepKick, stepEndIM, stepSecondLogin, stepLogoutIM, stepPanic, stepExpireIM:
		w.kept = ""
	}
	switch what {
	case stepInitIM:
		w.operate("InitIM", whom, w.e.InitIM, func(s engine.Status) bool { return s.State >= imInitialized })
	case stepLoginIM:
		a := w.imAccount(i)
		w.operate("LoginIM", whom, func(ctx context.Context) error { return w.e.LoginIM(ctx, a) },
			func(s engine.Status) bool { return strings.EqualFold(s.Accid, a.Accid) })
	case stepLoginKit:
		a := w.kitAccount(i)
		w.operate("LoginKit", whom, func(ctx context.Context) error { return w.e.LoginKit(ctx, a) },
			func(s engine.Status) bool { return strings.EqualFold(s.UserUUID, a.UserUUID) && !s.Anonymous })
	case stepLoginAnonymous:
		w.operate("LoginAnonymous", whom, w.e.LoginAnonymous, func(s engine.Status) bool { return s.Anonymous })
	case stepLogoutKit:
		w.operate("LogoutKit", whom, w.e.LogoutKit, func(s engine.Status) bool { return s.State < kitLoggedIn })
	case stepLogoutIM:
		w.operate("LogoutIM", whom, w.e.LogoutIM, func(s engine.Status) bool { return s.State < imLoggedIn })
	case stepClose:
		w.operate("Close", whom, func(context.Context) error { return w.e.Close() }, func(s engine.Status) bool { return s.State == uninitialized })
	case stepHostInit:
		if err := w.device.HostInit(w.t.Context()); err != nil {
			w.t.Errorf("HostInit: %v", err)
		}
	case stepHostLogin:
		w.hostLogin(whom, fuzzIM[i%len(fuzzIM)])
	case stepHostLogout:
		w.device.HostLogout(w.t.Context())
	case stepKick:
		w.cloud.Kick(w.accid(i), engine.KickReason(1+i/4%4))
	case stepEndIM:
		w.cloud.EndIM(w.accid(i), fuzzCauses[i/4%len(fuzzCauses)])
	case stepEndKit:
		w.cloud.EndKit(fuzzKit[i%len(fuzzKit)].UserUUID, fuzzCauses[i/4%len(fuzzCauses)])
	case stepLink:
		w.link(i%2 == 1)
	case stepSecondLogin:
		w.second.HostInit(w.t.Context())
		w.second.HostLogin(w.t.Context(), fuzzIM[i%len(fuzzIM)])
	case stepFail:
		w.faults++
		w.device.Fail(fuzzCalls[i%len(fuzzCalls)], fuzzErrors[i/len(fuzzCalls)%len(fuzzErrors)])
	case stepBlock:
		w.blocks = append(w.blocks, w.device.Block(fuzzCalls[i%len(fuzzCalls)]))
	case stepRelease:
		if len(w.blocks) > 0 {
			w.blocks[0]()
			w.blocks = w.blocks[1:]
		}
	case stepCancel:
		if len(w.attempts) > 0 {
			w.cancel(w.attempts[i%len(w.attempts)])
		}
	case stepLinger:
		done := make(chan struct{})
		w.blocks = append(w.blocks, func() { close(done) })
		w.broken.afterLogin(func() { <-done })
	case stepPanic:
		w.faults++
		w.broken.afterLogin(func() { panic("the backend is broken") })
	case stepPause:
		w.patience()
	default:
		w.lastingStep(what, whom)
	}
}

func (w *fuzzWorld) accid(i int) string {
	if i %= 4; i == int(accidOfStatus) {
		return w.e.Status().Accid
	}
	return fuzzIM[i].Accid
}
