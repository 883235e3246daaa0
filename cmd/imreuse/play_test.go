package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A playRun is a running "imreuse play" that has printed its line.
type playRun struct {
	t      *testing.T
	url    string
	out    *bufio.Reader
	stderr bytes.Buffer // read it after stop
	cancel context.CancelCauseFunc
	status chan int
	client *http.Client
}

func startPlay(t *testing.T, args ...string) *playRun {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	r := &playRun{t: t, cancel: cancel, status: make(chan int, 1), client: &http.Client{Transport: transport}}
	stdout, print := io.Pipe()
	go func() {
		r.status <- run(ctx, append([]string{"imreuse", "play"}, args...), print, &r.stderr)
		print.Close()
	}()
	r.out = bufio.NewReader(stdout)
	line, err := r.out.ReadString('\n')
	m := regexp.MustCompile(`^Open (http://127\.0\.0\.1:\d+/) in a browser\. Ctrl-C stops the server\.\n$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("got %q and %v, want a line with the address", line, err)
	}
	r.url = m[1]
	return r
}

// stop ends the command because of a signal, and wants the exit status.
func (r *playRun) stop(cause error, want int) {
	r.t.Helper()
	r.cancel(cause)
	if rest, _ := io.ReadAll(r.out); len(rest) > 0 {
		r.t.Errorf("after the first line: got %q, want nothing", rest)
	}
	if got := <-r.status; got != want {
		r.t.Errorf("got exit status %d and %q, want %d", got, r.stderr.String(), want)
	}
}

func (r *playRun) get(path string) string {
	r.t.Helper()
	res, err := r.client.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: got status %d and %v: %s", path, res.StatusCode, err, text)
	}
	return string(text)
}

func TestPlay(t *testing.T) {
	r := startPlay(t)
	if page, controls := r.get(""), r.get("extension.mjs"); !strings.Contains(page, "<main>") || !strings.Contains(controls, "mount(") {
		t.Errorf("got a page and a script without controls:\n%s%s", page, controls)
	}
	var catalogue struct {
		Secret string
		PaceMS int
	}
	if err := json.Unmarshal([]byte(r.get("play/catalogue.json")), &catalogue); err != nil || catalogue.Secret == "" || catalogue.PaceMS < 500 {
		t.Fatalf("got %+v and %v, want a secret, and a pace at which one can watch", catalogue, err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"play/login_kit", strings.NewReader(`{"account":"bound"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Imreuse-Play", catalogue.Secret)
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if present := r.get("status.json"); res.StatusCode != http.StatusOK || !strings.Contains(present, `"kit_logged_in"`) {
		t.Errorf("got status %d, and then %s, want a kit login", res.StatusCode, present)
	}

	// A page that follows the story does not keep the server from stopping.
	events, err := r.client.Get(r.url + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	r.stop(stopSignal{os.Interrupt}, exitInterrupt)
	if r.stderr.Len() > 0 {
		t.Errorf("got %q on stderr, want nothing", &r.stderr)
	}
}

// -open starts the program that opens the user's browser, with the address.
func TestPlayOpens(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the name of the program is that of Linux")
	}
	bin := t.TempDir()
	opened := filepath.Join(bin, "opened")
	script := "#!/bin/sh\necho \"$@\" > " + opened + ".new && mv " + opened + ".new " + opened + "\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	r := startPlay(t, "-open")
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	var got []byte
	for range 3000 {
		if got, _ = os.ReadFile(opened); len(got) > 0 {
			break
		}
		<-ticker.C
	}
	if string(got) != r.url+"\n" {
		t.Errorf("the browser opens %q, want %q", got, r.url)
	}
	r.stop(nil, 0)
}

// Without such a program the page is still served.
func TestPlayOpensNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the name of the program is that of Linux")
	}
	t.Setenv("PATH", t.TempDir())
	r := startPlay(t, "-open")
	r.get("")
	r.stop(nil, 0)
	if got := r.stderr.String(); !strings.Contains(got, "no browser could be opened") || !strings.Contains(got, "xdg-open") {
		t.Errorf("got %q on stderr, want why no browser was opened", got)
	}
}
