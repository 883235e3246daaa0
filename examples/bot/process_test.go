package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/imreuse/imreuse/engine"
)

// patience is for what must come. The bot pauses for up to a minute.
const patience = 2 * time.Minute

// A bot is a process, and what it has logged.
type bot struct {
	t       *testing.T
	world   *world
	process *exec.Cmd
	log     *journal
	read    int // lines that await has seen
}

func (w *world) startBot() *bot {
	w.t.Helper()
	if runtime.GOOS == "windows" {
		w.t.Skip("a process on Windows gets no SIGTERM")
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &bot{t: w.t, world: w, log: &journal{}, process: exec.CommandContext(ctx, os.Args[0])}
	b.process.Env = append(os.Environ(), asBot+"=1")
	for name, value := range w.settings {
		b.process.Env = append(b.process.Env, name+"="+value)
	}
	b.process.Stderr = b.log
	if err := b.process.Start(); err != nil {
		cancel()
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cancel()
		if b.process.ProcessState == nil {
			_ = b.process.Wait()
		}
		if w.t.Failed() {
			w.t.Logf("the bot's log:\n%s", b.log.text())
		}
	})
	return b
}

// await waits for the next line that fits, and returns the lines before it.
func (b *bot) await(what string, fits func(line) bool) []line {
	b.t.Helper()
	found, from := -1, b.read
	look := func() bool {
		for i, l := range b.log.since(b.read) {
			if fits(l) {
				found = b.read + i
				return true
			}
		}
		return false
	}
	if !poll(look) {
		b.t.Fatalf("waited %v for %s", patience, what)
	}
	b.read = found + 1
	return b.log.since(from)[:found-from]
}

// letHold waits until the login, which came after so many failed tries, has held
// for long enough: the next pause of KeepKit then starts at 1 s again.
func (b *bot) letHold(failed int) {
	b.t.Helper()
	since := b.log.since(b.read - 1)[0].Time
	longest := min(time.Second<<(failed+1), time.Minute)
	if !poll(func() bool { return time.Since(since) > longest }) {
		b.t.Fatal("the clock stands still")
	}
}

// logsOut sends SIGTERM, and wants the bot to end well and to leave nobody
// logged in.
func (b *bot) logsOut() {
	b.t.Helper()
	b.signal()
	b.ends(0)
	b.world.wantNobody()
}

func (b *bot) signal() {
	b.t.Helper()
	if err := b.process.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatal(err)
	}
}

// fails wants the bot to end with status 1, and with one line that has the reason
// and the remedy in it.
func (b *bot) fails(reason, remedy string) {
	b.t.Helper()
	b.ends(1)
	var errors []line
	for _, l := range b.log.since(0) {
		if l.Level == "ERROR" {
			errors = append(errors, l)
		}
	}
	if len(errors) != 1 || !strings.Contains(errors[0].Error, reason) || errors[0].Remedy != remedy {
		b.t.Errorf("error lines: got %+v, want one with %q and the remedy %q", errors, reason, remedy)
	}
}

func (b *bot) ends(status int) {
	b.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = b.process.Process.Kill() })
	defer timer.Stop()
	_ = b.process.Wait()
	if got := b.process.ProcessState.ExitCode(); got != status {
		b.t.Errorf("exit status %d, want %d", got, status)
	}
	for _, secret := range b.world.secrets {
		if strings.Contains(b.log.text(), secret) {
			b.t.Errorf("%q is in the log", secret)
		}
	}
}

// A line is one of the bot's log.
type line struct {
	Time    time.Time
	Level   string
	Trigger string // of a transition
	Call    string // of a failed operation
	Code    engine.Code
	Error   string
	Remedy  string
}

func loggedIn(l line) bool { return l.Trigger == string(engine.TriggerLoginKit) }
func lostIM(l line) bool {
	return l.Trigger == string(engine.TriggerIMLost) && l.Code == engine.ErrUnavailable
}
func failedTry(l line) bool { return l.Level == "WARN" }

// refused is a try that the kit server ended, or nobody at its address.
func refused(code engine.Code) func(line) bool {
	return func(l line) bool { return failedTry(l) && l.Call == "Authenticate" && l.Code == code }
}

func count(lines []line, fits func(line) bool) int {
	n := 0
	for _, l := range lines {
		if fits(l) {
			n++
		}
	}
	return n
}

// A journal takes what the bot writes.
type journal struct {
	mu     sync.Mutex // protects the following fields
	all    strings.Builder
	rest   []byte // a line that has not ended
	parsed []line
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all.Write(p)
	j.rest = append(j.rest, p...)
	for {
		text, rest, whole := bytes.Cut(j.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			l.Error = "not JSON: " + string(text)
		}
		j.parsed, j.rest = append(j.parsed, l), rest
	}
}

func (j *journal) since(i int) []line {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.parsed[i:len(j.parsed):len(j.parsed)]
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

// poll waits until done, for as long as patience, and reports whether it is.
func poll(done func() bool) bool { return pollFor(patience, done) }

func pollFor(bound time.Duration, done func() bool) bool {
	deadline := time.NewTimer(bound)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
	return true
}
