package chain_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/engine"
)

const soakRounds = 200

// Many logins, with kicks and dropped links in between, leave nothing behind:
// no goroutine, socket, slot or session, neither here nor in the gateway.
func TestChainSoak(t *testing.T) {
	t.Run("fake", func(t *testing.T) { soak(t, newChain(t, nil)) })
	t.Run("real", func(t *testing.T) {
		node := startNode(t, nimhttp.GatewayOptions{})
		c := newChain(t, node)
		warm := c.engine(c.backend("warm"), engine.AutoLogin) // so that things that load only once are loaded
		soakRound(t, c, warm, 0)
		must(t, "Close", warm.Close())
		c.wantOnline(nil)
		files, before := openFiles(t, node.Pid()), memory(t, node.Pid())
		soak(t, c)
		if got := 0; !gatewaytest.Poll(func() bool { got = openFiles(t, node.Pid()); return got <= files }) {
			t.Errorf("the gateway has %d files and sockets open, want %d", got, files)
		}
		after := memory(t, node.Pid())
		t.Logf("memory of the gateway: %d kB before %d logins, %d kB after", before, soakRounds, after)
		const most = 64 << 10
		if after > before+most {
			t.Errorf("the gateway has grown from %d to %d kB", before, after)
		}
	})
}

func soak(t *testing.T, c *chain) {
	e := c.engine(c.backend("soak"), engine.AutoLogin)
	soakRound(t, c, e, 0)
	goroutines, heap, files := runtime.NumGoroutine(), heapInUse(), openFiles(t, os.Getpid())
	sessions := map[string]bool{}
	for i := range soakRounds {
		soakRound(t, c, e, i)
		if s := e.Status(); s.State == engine.KitLoggedIn {
			sessions[s.Session.String()] = true
			must(t, "LogoutKit", e.LogoutKit(t.Context()))
		}
	}
	t.Logf("heap: %d kB before %d logins, %d kB after", heap>>10, soakRounds, heapInUse()>>10)
	if len(sessions) == 0 {
		t.Error("nobody was ever logged in at the end of a round")
	}
	must(t, "Close", e.Close())
	c.wantOnline([]string{"soak"})
	if got := c.slots(); got != 0 {
		t.Errorf("got %d slots, want 0", got)
	}
	const most = 8 << 20
	if after := heapInUse(); after > heap+most {
		t.Errorf("the heap has grown from %d to %d bytes", heap, after)
	}
	if got := 0; !gatewaytest.Poll(func() bool { got = openFiles(t, os.Getpid()); return got <= files }) {
		t.Errorf("this process has %d files and sockets open, want %d", got, files)
	}
	if got := 0; !gatewaytest.Poll(func() bool { got = runtime.NumGoroutine(); return got <= goroutines }) {
		t.Errorf("got %d goroutines, want %d at most", got, goroutines)
	}
}

// soakRound logs in, and then something happens to the login.
func soakRound(t *testing.T, c *chain, e *engine.Engine, i int) {
	t.Helper()
	if err := e.LoginKit(t.Context(), kitAlice); err != nil {
		t.Fatalf("login %d: %v", i, err)
	}
	if s := e.Status(); !s.Online {
		t.Errorf("login %d: got %+v, want it online", i, s)
	}
	switch {
	case i%10 == 3:
		c.world.Kick("alice", engine.KickReason(1+i/10%4))
		await(t, e, "the kick", func(s engine.Status) bool { return s.State == engine.IMInitialized })
	case i%10 == 6: // the logout comes while the SDK reconnects
		c.link("alice", false)
		await(t, e, "the link to go", func(s engine.Status) bool { return !s.Online })
		c.link("alice", true)
	case i%50 == 9:
		c.link("alice", false)
		await(t, e, "the link to go", func(s engine.Status) bool { return !s.Online })
		c.link("alice", true)
		await(t, e, "the link to come back", func(s engine.Status) bool { return s.Online })
	case i%10 == 8: // given up at a random moment
		must(t, "LogoutKit", e.LogoutKit(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.LoginKit(ctx, kitAlice) }()
		for range i {
			runtime.Gosched()
		}
		cancel()
		<-done
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// openFiles counts the open files and sockets of a process, if the system
// tells.
func openFiles(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// memory returns the resident memory of a process in kB.
func memory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		var kB int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kB); n == 1 {
			return kB
		}
	}
	t.Skip("no VmRSS")
	return 0
}
