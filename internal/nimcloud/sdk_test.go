package nimcloud_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// A said is a line from the script testdata/sdk.mjs: an event of the vendor's
// SDK, or the result of a call.
type said struct {
	Name, Event string
	Number      int
	Text        string
}

// The SDK's login statuses.
const (
	statusLogout  = 0
	statusLogined = 1
	statusUnlogin = 3
)

type sdk struct {
	t     *testing.T
	stdin io.Writer
	lines chan said
	early []said // lines that came before they were wanted
}

// startSDK runs the SDK in the folder IMREUSE_NIM_SDK against a cloud.
func startSDK(t *testing.T, c *nimcloud.Cloud) *sdk {
	t.Helper()
	folder := os.Getenv("IMREUSE_NIM_SDK")
	if folder == "" {
		t.Skip("IMREUSE_NIM_SDK names no folder in which the vendor's SDK is installed (npm install nim-web-sdk-ng@10.9.77-alpha.4)")
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules/nim-web-sdk-ng/dist/nodejs/nim.js")); err != nil {
		t.Fatalf("IMREUSE_NIM_SDK has no SDK: %v", err)
	}
	return startScript(t, c, "testdata/sdk.mjs", "SDK="+folder)
}

// startScript runs a script that drives an SDK against a cloud.
func startScript(t *testing.T, c *nimcloud.Cloud, script string, env ...string) *sdk {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // t.Context ends before the cleanup
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Env = append(append(os.Environ(), "LBS="+c.LBSURL(), "LINK="+c.LinkAddr(), "APPKEY="+appKey), env...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &sdk{t: t, stdin: stdin, lines: make(chan said, 1000)}
	go func() {
		defer close(s.lines)
		for scan := bufio.NewScanner(stdout); scan.Scan(); {
			var line said
			if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
				t.Errorf("the script said %q: %v", scan.Text(), err)
			}
			s.lines <- line
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		for range s.lines {
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
		cancel()
	})
	return s
}

func (s *sdk) call(name, call string, args ...any) {
	s.t.Helper()
	if args == nil {
		args = []any{}
	}
	b, err := json.Marshal(map[string]any{"name": name, "call": call, "args": args})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(s.stdin, "%s\n", b); err != nil {
		s.t.Fatal(err)
	}
}

// want waits for a line. It keeps the other lines for later, because the lines of
// different instances, and events and results, come in any order.
func (s *sdk) want(want said) {
	s.t.Helper()
	if i := slices.Index(s.early, want); i >= 0 {
		s.early = slices.Delete(s.early, i, i+1)
		return
	}
	for line := range s.lines {
		if line == want {
			return
		}
		s.early = append(s.early, line)
	}
	s.t.Fatalf("the SDK did not say %+v, but %+v", want, s.early)
}

func (s *sdk) login(name, accid, token string) {
	s.t.Helper()
	s.early = nil
	s.call(name, "login", accid, token, map[string]any{"retryCount": 0})
	s.want(said{Name: name, Event: "done", Text: "login"})
	s.early = slices.DeleteFunc(s.early, func(l said) bool { return l.Name == name && l.Event == "login" })
}

func (s *sdk) loginFails(name, accid, token string, code int) {
	s.t.Helper()
	s.early = nil
	s.call(name, "login", accid, token, map[string]any{"retryCount": 0})
	s.want(said{Name: name, Event: "rejected", Text: "login", Number: code})
}

// All of this is one run of the vendor's SDK, because starting it takes long.
func TestSDK(t *testing.T) {
	world := newWorld(mockim.ServiceOptions{AppKey: appKey, MultiDevice: true})
	cloud := start(t, world)
	s := startSDK(t, cloud)

	s.loginFails("a", "user-one", "wrong", 102302)
	s.loginFails("a", "nobody", "token-one", 102302)
	for _, code := range []int{417, 422, 102422, 102404, 101303, 102302, 20001, 500} {
		cloud.Refuse(code, 1)
		s.loginFails("a", "user-one", "token-one", code)
	}

	s.login("a", "User-One", "token-one")
	s.want(said{Name: "a", Event: "sync", Number: 3})
	if got := cloud.Clients(); len(got) != 1 || got[0].Account != "User-One" || got[0].Accid != "user-one" || got[0].Type != 16 {
		t.Errorf("clients %+v, want user-one with client type 16", got)
	}
	s.call("a", "logout")
	s.want(said{Name: "a", Event: "done", Text: "logout"})

	for _, r := range []engine.KickReason{engine.KickedByClient, engine.KickedByServer, engine.KickedByOther, engine.KickedQuietly} {
		s.login("a", "user-one", "token-one")
		world.EndIM("user-one", &engine.KickError{Reason: r, Text: "says who"})
		s.want(said{Name: "a", Event: "kicked", Number: int(r), Text: "says who"})
	}

	s.login("a", "user-one", "token-one")
	s.login("b", "user-one", "token-one")
	s.want(said{Name: "a", Event: "clients", Number: 2, Text: "16"})
	s.call("b", "kickOffline")
	s.want(said{Name: "a", Event: "kicked", Number: 3})
	s.call("b", "logout")
	s.want(said{Name: "b", Event: "done", Text: "logout"})

	cloud.FailLBS(503) // the SDK then uses linkUrl
	s.login("a", "user-one", "token-one")
	cloud.FailLBS(0)
	cloud.Drop("user-one")
	s.want(said{Name: "a", Event: "login", Number: statusUnlogin})
	s.want(said{Name: "a", Event: "login", Number: statusLogined})
	if got := cloud.Clients(); len(got) != 1 || !got[0].Automatic {
		t.Errorf("clients %+v, want one that came back by itself", got)
	}

	cloud.Link("user-one", false)
	s.want(said{Name: "a", Event: "login", Number: statusUnlogin})
	cloud.Link("user-one", true)
	s.want(said{Name: "a", Event: "login", Number: statusLogined})

	world.AddIM(engine.IMAccount{Accid: "user-one", Token: "token-new"})
	world.EndIM("user-one", engine.ErrTokenRejected)
	s.want(said{Name: "a", Event: "login", Number: statusUnlogin})
	s.want(said{Name: "a", Event: "login", Number: statusLogout})
	s.want(said{Name: "a", Event: "failed", Number: 102302})

	s.login("a", "user-one", "token-new")
	world.EndIM("user-one", engine.ErrAccountBanned)
	s.want(said{Name: "a", Event: "failed", Number: 102422})
	s.login("a", "user-one", "token-new")
}

// In a world without MultiDevice, a newer login ends the older one.
func TestSDKOneDevice(t *testing.T) {
	world := newWorld(mockim.ServiceOptions{AppKey: appKey})
	s := startSDK(t, start(t, world))
	s.login("a", "user-one", "token-one")
	s.login("b", "user-one", "token-one")
	s.want(said{Name: "a", Event: "kicked", Number: 1})
	s.want(said{Name: "b", Event: "sync", Number: 3})
}
