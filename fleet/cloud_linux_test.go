package fleet_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// This file has an IM cloud in a process of its own, and an engine.IM whose SDK
// is a device of that cloud. The cloud is mockim's; the HTTP around it does what
// a gateway does, for any number of devices over a few connections.

// An event is a line of the cloud's log.
type event struct {
	At     time.Time
	What   string // login, logout, kicked; or a note of the test
	Worker string
	Accid  string
}

// A cloudCall is a call of a device's SDK.
type cloudCall struct {
	Worker, Device string
	Call           string // init, login, logout
	Accid, Token   string
}

type cloudReply struct {
	Code engine.Code
	Text string
}

// A lostLogin tells a worker that the cloud has ended a login.
type lostLogin struct {
	Device string
	Code   engine.Code
}

// A cloud serves mockim to several processes. One call runs at a time, so that
// its log has the order in which things happened.
type cloud struct {
	service *mockim.Service

	mu      sync.Mutex
	devices map[string]*mockim.Device
	log     []event
	outbox  map[string]chan lostLogin // by worker
}

// runCloud is the cloud's process. It prints its URL, and ends when stdin does.
func runCloud(accounts int) {
	c := &cloud{
		service: mockim.NewService(mockim.ServiceOptions{AppKey: appKey}),
		devices: map[string]*mockim.Device{}, outbox: map[string]chan lostLogin{},
	}
	for i := range accounts {
		c.service.AddIM(account(i))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /call", c.serveCall)
	mux.HandleFunc("GET /lost", c.serveLost)
	mux.HandleFunc("POST /note", c.serveNote)
	mux.HandleFunc("GET /log", c.serveLog)
	go func() { panic(http.Serve(l, mux)) }()
	fmt.Println("http://" + l.Addr().String())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func account(i int) engine.IMAccount {
	return engine.IMAccount{Accid: fmt.Sprintf("bot%04d@example.com", i), Token: fmt.Sprintf("im-token-%d", i)}
}

// note adds a line to the log. The caller has c.mu.
func (c *cloud) note(what, worker, accid string) {
	c.log = append(c.log, event{time.Now(), what, worker, accid})
}

// device returns a worker's device. The caller has c.mu.
func (c *cloud) device(worker, name string) *mockim.Device {
	id := worker + "/" + name
	if c.devices[id] == nil {
		c.devices[id] = c.service.Device()
	}
	return c.devices[id]
}

func (c *cloud) lostOf(worker string) chan lostLogin {
	if c.outbox[worker] == nil {
		c.outbox[worker] = make(chan lostLogin, 10_000)
	}
	return c.outbox[worker]
}

func (c *cloud) serveCall(w http.ResponseWriter, r *http.Request) {
	var call cloudCall
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	err := c.do(call)
	c.mu.Unlock()
	var reply cloudReply
	if err != nil {
		reply = cloudReply{engine.CodeOf(err), err.Error()}
	}
	_ = json.NewEncoder(w).Encode(reply)
}

// do makes a call of the SDK. The caller has c.mu, so Lost, which mockim calls
// during a login of another device, has it as well.
func (c *cloud) do(call cloudCall) error {
	ctx, d := context.Background(), c.device(call.Worker, call.Device)
	switch call.Call {
	case "init":
		return d.InitIM(ctx, appKey)
	case "logout":
		if accid := d.LoggedIn(); accid != "" {
			c.note("logout", call.Worker, accid)
		}
		return d.LogoutIM(ctx)
	}
	err := d.LoginIM(ctx, engine.IMAccount{Accid: call.Accid, Token: call.Token}, engine.Notify{
		Lost: func(cause error) {
			c.note("kicked", call.Worker, call.Accid)
			c.lostOf(call.Worker) <- lostLogin{call.Device, engine.CodeOf(cause)}
		},
	})
	if err == nil {
		c.note("login", call.Worker, call.Accid)
	}
	return err
}

func (c *cloud) serveLost(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	lost := c.lostOf(r.URL.Query().Get("worker"))
	c.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case l := <-lost:
			if json.NewEncoder(w).Encode(l) != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

func (c *cloud) serveNote(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(r.URL.Query().Get("what"), r.URL.Query().Get("worker"), "")
}

func (c *cloud) serveLog(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(c.log)
}

// A cloudClient is one worker's way to the cloud.
type cloudClient struct {
	url, worker string
	http        *http.Client

	mu   sync.Mutex
	lost map[string]func(error) // by device
}

func newCloudClient(url, worker string) *cloudClient {
	return &cloudClient{url: url, worker: worker, lost: map[string]func(error){},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, MaxConnsPerHost: 16}}}
}

// follow passes the ends of logins on, until ctx ends.
func (c *cloudClient) follow(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, "GET", c.url+"/lost?worker="+c.worker, nil)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(r) // not one of the few connections for calls
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	lines := bufio.NewScanner(reply.Body)
	for lines.Scan() {
		var l lostLogin
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return err
		}
		c.mu.Lock()
		lost := c.lost[l.Device]
		delete(c.lost, l.Device)
		c.mu.Unlock()
		if lost != nil {
			lost(l.Code)
		}
	}
	return lines.Err()
}

func (c *cloudClient) call(ctx context.Context, call cloudCall) error {
	call.Worker = c.worker
	body, err := json.Marshal(call)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, "POST", c.url+"/call", bytes.NewReader(body))
	if err != nil {
		return err
	}
	reply, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	defer reply.Body.Close()
	var result cloudReply
	if err := json.NewDecoder(reply.Body).Decode(&result); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	switch {
	case result.Code != 0:
		return fmt.Errorf("%w: the cloud says: %s", result.Code, result.Text)
	case result.Text != "":
		return errors.New(result.Text)
	}
	return nil
}

// A cloudIM is an engine.IM whose SDK runs in the cloud's process.
type cloudIM struct {
	cloud  *cloudClient
	device string
}

func (m *cloudIM) InitIM(ctx context.Context, _ string) error {
	return m.cloud.call(ctx, cloudCall{Device: m.device, Call: "init"})
}

func (m *cloudIM) LoginIM(ctx context.Context, a engine.IMAccount, n engine.Notify) error {
	m.listen(n.Lost)
	err := m.cloud.call(ctx, cloudCall{Device: m.device, Call: "login", Accid: a.Accid, Token: a.Token})
	if err != nil {
		m.listen(nil)
	}
	return err
}

func (m *cloudIM) LogoutIM(ctx context.Context) error {
	m.listen(nil)
	return m.cloud.call(ctx, cloudCall{Device: m.device, Call: "logout"})
}

func (m *cloudIM) listen(lost func(error)) {
	m.cloud.mu.Lock()
	defer m.cloud.mu.Unlock()
	if lost == nil {
		delete(m.cloud.lost, m.device)
	} else {
		m.cloud.lost[m.device] = lost
	}
}
