package nimhttptest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
)

// Package backends/nimhttp/contract tests the contract on this gateway and on
// the real one. The tests here are for what only this gateway has.

// A gatewayReply is a snapshot, or a problem that may have a snapshot.
type gatewayReply struct {
	status   int
	header   http.Header
	err      error
	kind     string // the type of the problem
	code     int
	snapshot gatewaySnapshot
}

type gatewaySnapshot struct {
	Boot, Accid, Login, Link string
	Seq, Session             int
	Ended                    *struct {
		Session     int
		Kick, Error map[string]any
	}
}

func (s gatewaySnapshot) hasState(session int, login, link string) bool {
	return s.Session == session && s.Login == login && s.Link == link
}

// A gatewayClient calls the gateway of a server.
type gatewayClient struct {
	t    *testing.T
	s    *nimhttptest.Server
	http *http.Client
}

func newGateway(t *testing.T) *gatewayClient {
	t.Helper()
	return &gatewayClient{t, newServer(t), newClient(t)}
}

func (c *gatewayClient) request(ctx context.Context, method, path, body string) gatewayReply {
	r, err := http.NewRequestWithContext(ctx, method, c.s.GatewayURL()+path, strings.NewReader(body))
	if err != nil {
		return gatewayReply{err: err}
	}
	r.Header.Set("Authorization", "Bearer "+c.s.GatewaySecret())
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(r)
	if err != nil {
		return gatewayReply{err: err}
	}
	defer res.Body.Close()
	reply := gatewayReply{status: res.StatusCode, header: res.Header}
	if res.StatusCode == http.StatusOK {
		reply.err = json.NewDecoder(res.Body).Decode(&reply.snapshot)
		return reply
	}
	var problem struct {
		Type     string
		Code     int
		Snapshot gatewaySnapshot
	}
	reply.err = json.NewDecoder(res.Body).Decode(&problem)
	reply.kind, reply.code, reply.snapshot = strings.TrimPrefix(problem.Type, "urn:imreuse:gateway:"), problem.Code, problem.Snapshot
	return reply
}

func (c *gatewayClient) get(slot string) gatewaySnapshot {
	c.t.Helper()
	return c.ok("GET", "/v1/im/"+slot, "")
}

// ok makes a call that must succeed.
func (c *gatewayClient) ok(method, path, body string) gatewaySnapshot {
	c.t.Helper()
	r := c.request(c.t.Context(), method, path, body)
	if r.err != nil || r.status != http.StatusOK {
		c.t.Fatalf("%s %s: got %+v", method, path, r)
	}
	return r.snapshot
}

// begin starts a call and returns a channel for its reply.
func (c *gatewayClient) begin(ctx context.Context, method, path, body string) <-chan gatewayReply {
	reply := make(chan gatewayReply, 1)
	go func() { reply <- c.request(ctx, method, path, body) }()
	return reply
}

const initBody = `{"appKey": "app1"}`

func loginBody(token string) string {
	return fmt.Sprintf(`{"accid": "MyAccid", "token": "%s", "owner": "o"}`, token)
}

// login initialises a slot and logs myaccid in.
func (c *gatewayClient) login(slot string) gatewaySnapshot {
	c.t.Helper()
	c.ok("PUT", "/v1/im/"+slot, initBody)
	now := c.ok("POST", "/v1/im/"+slot+"/login", loginBody("im-1"))
	if !now.hasState(now.Session, "logged_in", "up") || now.Session == 0 || now.Accid != "myaccid" {
		c.t.Fatalf("login: got %+v", now)
	}
	return now
}

// startLogin starts a login that waits, because the connection is down.
func (c *gatewayClient) startLogin(slot string) <-chan gatewayReply {
	c.t.Helper()
	c.ok("PUT", "/v1/im/"+slot, initBody)
	reply := c.begin(c.t.Context(), "POST", "/v1/im/"+slot+"/login", loginBody("im-1"))
	eventually(c.t, "the login begins", func() bool { return c.get(slot).Login == "logging_in" })
	return reply
}

// startRead starts a read that waits.
func (c *gatewayClient) startRead(slot string, after int) <-chan gatewayReply {
	c.t.Helper()
	before := c.s.GatewayReaders()
	reply := c.begin(c.t.Context(), "GET", fmt.Sprintf("/v1/im/%s?after=%d&waitMs=30000", slot, after), "")
	eventually(c.t, "the read waits", func() bool { return c.s.GatewayReaders() > before })
	return reply
}

// wantDevice checks that the gateway has exactly one device in the world.
func (c *gatewayClient) wantDevice() *mockim.Device {
	c.t.Helper()
	all := c.s.GatewayDevices()
	if len(all) != 1 || all[0].LoggedIn() != "myaccid" {
		c.t.Fatalf("got %d devices, want one with myaccid", len(all))
	}
	return all[0]
}

func (c *gatewayClient) wantOut(device *mockim.Device) {
	c.t.Helper()
	if accid := device.LoggedIn(); accid != "" {
		c.t.Errorf("%s is still logged in", accid)
	}
}
