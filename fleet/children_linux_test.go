package fleet_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This file starts the processes of a test: the cloud and the workers.

// A child is a process that the test has started.
type child struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	end  func() error
}

// startChild starts this test binary in a role, and waits for its first line.
func startChild(t testing.TB, name string, env ...string) (c *child, first string) {
	t.Helper()
	c = &child{t: t, name: name, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), env...)
	log := &logFile{}
	c.cmd.Stderr = log
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", name, log.tail())
		}
	})
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also if it is stopped
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.end = sync.OnceValue(c.cmd.Wait)
	t.Cleanup(c.kill)
	return c, c.read()
}

// A logFile keeps what a child logs.
type logFile struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(b)
}

func (l *logFile) tail() string {
	const most = 4000
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.lines.String()
	return text[max(0, len(text)-most):]
}

func (c *child) read() string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("%s ended: %v", c.name, c.end())
	}
	return c.out.Text()
}

func (c *child) say(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
}

// count returns how many accounts a worker has logged in.
func (c *child) count() int {
	c.t.Helper()
	c.say("count")
	n, err := strconv.Atoi(c.read())
	if err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	return n
}

// kill ends the process at once, also if it is stopped.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.end()
}

// leave lets the process log out and end.
func (c *child) leave() {
	c.t.Helper()
	c.in.Close()
	if err := c.end(); err != nil {
		c.t.Errorf("%s: %v", c.name, err)
	}
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// stop stops the process, and returns when none of its threads runs.
func (c *child) stop() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	until(c.t, c.name+" is stopped", func() bool {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.cmd.Process.Pid))
		for _, thread := range threads {
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", c.cmd.Process.Pid, thread.Name()))
			_, state, _ := strings.Cut(string(stat), ") ")
			if !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return err == nil && len(threads) > 0
	})
}

// A cloudChild is the cloud's process.
type cloudChild struct {
	*child
	url      string
	accounts int
}

func startCloud(t testing.TB, accounts int) *cloudChild {
	t.Helper()
	c, url := startChild(t, "cloud", "FLEET_ROLE=cloud", fmt.Sprint("FLEET_ACCOUNTS=", accounts))
	return &cloudChild{c, url, accounts}
}

func (c *cloudChild) startWorker(name string, ttl time.Duration, servers ...*natsServer) *child {
	c.t.Helper()
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	w, _ := startChild(c.t, name, "FLEET_ROLE=worker", "FLEET_WORKER="+name, "FLEET_CLOUD="+c.url,
		fmt.Sprint("FLEET_ACCOUNTS=", c.accounts), fmt.Sprint("FLEET_TTL=", ttl), "FLEET_NATS="+strings.Join(urls, ","))
	return w
}

// note puts a line into the cloud's log, and returns when it is there.
func (c *cloudChild) note(what string, worker *child) {
	c.t.Helper()
	r, err := http.Post(c.url+"/note?what="+url.QueryEscape(what)+"&worker="+worker.name, "", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Body.Close()
}

func (c *cloudChild) events() (log []event) {
	c.t.Helper()
	r, err := http.Get(c.url + "/log")
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&log); err != nil {
		c.t.Fatal(err)
	}
	return log
}

// holders returns which worker the cloud has each account logged in for.
func (c *cloudChild) holders() map[string]string {
	c.t.Helper()
	holders := map[string]string{}
	for _, e := range c.events() {
		switch e.What {
		case "login":
			holders[e.Accid] = e.Worker
		case "logout", "kicked":
			if holders[e.Accid] == e.Worker {
				delete(holders, e.Accid)
			}
		}
	}
	return holders
}

// held returns how many accounts the cloud has logged in for any of the workers.
func (c *cloudChild) held(workers ...*child) (n int) {
	c.t.Helper()
	for _, holder := range c.holders() {
		for _, w := range workers {
			if holder == w.name {
				n++
			}
		}
	}
	return n
}

// untilAllHeld waits until the workers hold all accounts, at most for limit.
func (c *cloudChild) untilAllHeld(limit time.Duration, workers ...*child) {
	c.t.Helper()
	began := time.Now()
	if !poll(c.t.Context(), limit, func() bool { return c.held(workers...) == c.accounts }) {
		c.t.Fatalf("after %v they hold %d of %d accounts", limit, c.held(workers...), c.accounts)
	}
	c.t.Logf("all %d accounts are held after %v", c.accounts, time.Since(began).Round(10*time.Millisecond))
}

// wantOneHolder judges the cloud's whole log: no worker logs an account in while
// another one that lives has it logged in.
func (c *cloudChild) wantOneHolder() {
	c.t.Helper()
	down := map[string]string{} // by worker: why it cannot act
	holders := map[string]string{}
	kicks := 0
	for _, e := range c.events() {
		switch e.What {
		case "killed", "stopped":
			down[e.Worker] = e.What
		case "continued":
			delete(down, e.Worker)
		case "kicked":
			kicks++
			if down[e.Worker] == "" {
				c.t.Errorf("%s was kicked in the worker %s, which lives", e.Accid, e.Worker)
			}
			delete(holders, e.Accid)
		case "logout":
			delete(holders, e.Accid)
		case "login":
			if other := holders[e.Accid]; other != "" {
				c.t.Errorf("%s was logged in by %s while %s had it", e.Accid, e.Worker, other)
			}
			holders[e.Accid] = e.Worker
		}
	}
	c.t.Logf("the cloud's log has %d kicks, each of a worker that was stopped or killed", kicks)
}
