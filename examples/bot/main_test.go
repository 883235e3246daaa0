package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// asBot in the environment makes the test binary the bot itself.
const asBot = "IMREUSE_TEST_AS_BOT"

// Over the doubles of package nimhttptest, or with IMREUSE_VENDOR=1 over a real
// gateway with the vendor's SDK, each test runs the bot as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(asBot) != "" {
		main()
		return
	}
	os.Unsetenv("NIM_SDK") // the gateway would use that SDK
	goleak.VerifyTestMain(m)
}

func vendored() bool { return os.Getenv("IMREUSE_VENDOR") == "1" }

// A gateway that is killed and started again takes the login with it, and the
// bot makes a new one, ten times.
func TestGatewayIsKilled(t *testing.T) {
	t.Parallel()
	times := 3
	if vendored() {
		times = 10
	}
	w := newWorld(t, "127.7.16.1")
	b := w.startBot()
	b.await("the first login", loggedIn)
	for i := range times {
		w.gateway.kill()
		b.await("the loss", lostIM)
		w.gateway.start()
		before := b.await("the next login", loggedIn)
		if i < times-1 {
			b.letHold(count(before, failedTry))
		}
	}
	b.logsOut()
}

// A token that has run out is refused for as long as the file holds it. With
// a new one in the file, the bot is logged in again.
func TestTokenRunsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "127.7.16.2")
	b := w.startBot()
	b.await("the first login", loggedIn)
	w.service.EndKit(account.UserUUID, engine.ErrTokenExpired)
	w.restartGateway() // until then, nothing asks the kit server about the token
	for range 2 {
		b.await("a try with the old token", refused(engine.ErrTokenExpired))
	}
	w.writeToken("a-new-kit-token")
	b.await("the login with the new token", loggedIn)
	if got := w.lastKitToken(); got != "a-new-kit-token" {
		t.Errorf("the last kit login had the token %q, want the new one", got)
	}
	b.logsOut()
}

// While the kit server is away the bot keeps trying, and is logged in when the
// server is back. With IMREUSE_SLOW=1 that takes a minute.
func TestKitServerIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "127.7.16.3")
	b := w.startBot()
	b.await("the first login", loggedIn)
	w.closeKit()
	began := time.Now()
	w.restartGateway() // until then, the bot needs no kit server
	for tries, minute := 0, os.Getenv("IMREUSE_SLOW") == "1"; tries < 3 || minute && time.Since(began) < time.Minute; tries++ {
		b.await("a failed try", refused(engine.ErrUnavailable))
	}
	w.openKit()
	b.await("the next login", loggedIn)
	b.logsOut()
}

// A bot that is between two tries ends as it should, too.
func TestSignalDuringAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "127.7.16.4")
	w.closeKit()
	b := w.startBot()
	for range 2 {
		b.await("a failed try", refused(engine.ErrUnavailable))
	}
	b.logsOut()
}

// After a kick the bot ends, and says why and what to do.
func TestKick(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "127.7.16.5")
	b := w.startBot()
	b.await("the first login", loggedIn)
	w.service.Kick(accid, engine.KickedByServer)
	b.fails(engine.ErrKicked.Error(), engine.ErrKicked.Remedy())
	w.wantNobody()
}

// A logout that takes too long ends with the second signal.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	if vendored() {
		t.Skip("a real gateway cannot be made to log out slowly")
	}
	w := newWorld(t, "")
	server := w.gateway.(double).server
	b := w.startBot()
	b.await("the login", loggedIn)
	server.Fault(nimhttptest.Fault{Path: "/logout", Delay: time.Hour})
	b.signal()
	if !poll(func() bool {
		return slices.ContainsFunc(server.Requests(), func(r nimhttptest.Request) bool { return strings.HasSuffix(r.Path, "/logout") })
	}) {
		t.Fatal("the bot does not log out")
	}
	b.signal()
	b.ends(-1) // by the signal
}

// What the environment lacks is named, and nothing is tried.
func TestMissingSettings(t *testing.T) {
	t.Parallel()
	tests := []struct{ variable, reason string }{
		{"IMREUSE_APP_KEY", "AppKey"},
		{"IMREUSE_GATEWAY_URL", "GatewayURL"},
		{"IMREUSE_USER_UUID", "userUuid"},
	}
	for _, test := range tests {
		t.Run(test.variable, func(t *testing.T) {
			w := newWorld(t, "")
			w.unset(test.variable)
			w.startBot().fails(test.reason, engine.ErrArgument.Remedy())
		})
	}
}

// The bot has at most 30 lines of code, not counting imports, comments and
// empty lines.
func TestBotIsShort(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "main.go", source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	imports := file.Decls[len(file.Decls)-1].(*ast.GenDecl)
	lines := 0
	for line := range strings.Lines(string(source[files.Position(imports.End()).Offset:])) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
	}
	if lines < 10 || lines > 30 {
		t.Errorf("main.go has %d lines of code, want at most 30", lines)
	}
}

// A file that cannot be read has no token, and one with a line end has.
func TestReadToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	t.Setenv("IMREUSE_USER_TOKEN_FILE", path)
	if token, err := readToken(t.Context(), account.UserUUID, ""); token != "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: got %q, %v, want an error", token, err)
	}
	if err := os.WriteFile(path, []byte("a-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if token, err := readToken(t.Context(), account.UserUUID, ""); token != "a-token" || err != nil {
		t.Errorf("with a file: got %q, %v, want the token", token, err)
	}
}

// ownIP is where only this test listens, so that no port is taken while a peer is
// away. Other systems have just one loopback address.
func ownIP(ip string) string {
	if runtime.GOOS != "linux" || ip == "" {
		return "127.0.0.1"
	}
	return ip
}
