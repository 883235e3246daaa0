package nimcloud_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/imreuse/imreuse/internal/nimcloud"
)

// A v1Client speaks the text framing as 9.x does. It shares no code with the
// cloud, in order to test it.
type v1Client struct {
	t      *testing.T
	ws     *websocket.Conn
	device string
	serial int
}

// A v1Reply is a packet from the cloud.
type v1Reply struct {
	SID, CID, SER, Code int
	R                   []any
}

// dialV1 makes the handshake, opens a link, and reads the cloud's greeting.
func dialV1(t *testing.T, c *nimcloud.Cloud, device string) *v1Client {
	t.Helper()
	response := request(t, "GET", "http://"+c.LinkAddr()+"/socket.io/1/?t=1")
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	session, rest, _ := strings.Cut(string(answer), ":")
	if response.StatusCode != http.StatusOK || session == "" || rest != "60:60:websocket" {
		t.Fatalf("handshake: status %d, %q", response.StatusCode, answer)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+c.LinkAddr()+"/socket.io/1/websocket/"+session, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	client := &v1Client{t: t, ws: ws, device: device}
	if got := client.read(); got != "1::" {
		t.Fatalf("greeting %q, want 1::", got)
	}
	return client
}

func (c *v1Client) sendRaw(frame string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		c.t.Fatal(err)
	}
}

// send sends a command with one parameter, or none if the type is "".
func (c *v1Client) send(sid, cid int, kind string, value any) {
	c.t.Helper()
	c.serial++
	q := []any{}
	if kind != "" {
		q = append(q, map[string]any{"t": kind, "v": value})
	}
	b, err := json.Marshal(map[string]any{"SID": sid, "CID": cid, "SER": c.serial, "Q": q})
	if err != nil {
		c.t.Fatal(err)
	}
	c.sendRaw("3:::" + string(b))
}

// read returns the next frame, or "" if the link ended.
func (c *v1Client) read() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	kind, b, err := c.ws.Read(ctx)
	if ctx.Err() != nil {
		c.t.Fatal("no frame arrived")
	}
	if err == nil && kind != websocket.MessageText {
		c.t.Fatalf("read a message of kind %v, want text", kind)
	}
	return string(b)
}

func (c *v1Client) wantCut() {
	c.t.Helper()
	if frame := c.read(); frame != "" {
		c.t.Errorf("read %q, want the link to be cut", frame)
	}
}

// want reads a packet, checks its command, serial and result, and returns its
// fields.
func (c *v1Client) want(sid, cid, serial, code int) []any {
	c.t.Helper()
	frame := c.read()
	data, found := strings.CutPrefix(frame, "3:::")
	var got v1Reply
	if err := json.Unmarshal([]byte(data), &got); !found || err != nil {
		c.t.Fatalf("read %q, %v; want a packet", frame, err)
	}
	if got.SID != sid || got.CID != cid || got.SER != serial || got.Code != code {
		c.t.Fatalf("read %s, want command %d_%d, serial %d, code %d", frame, sid, cid, serial, code)
	}
	return got.R
}

// ask sends a command and returns the fields of its answer.
func (c *v1Client) ask(sid, cid int, kind string, value any, code int) []any {
	c.t.Helper()
	c.send(sid, cid, kind, value)
	return c.want(sid, cid, c.serial, code)
}

func (c *v1Client) loginTags(appKey, accid, token string) map[string]any {
	return map[string]any{"3": 16, "4": "OS", "8": 1, "13": c.device, "18": appKey, "19": accid, "38": "tag", "1000": token}
}

// login sends a login like the SDK's and returns the device ids of the other
// clients.
func (c *v1Client) login(accid, token string, code int) []string {
	c.t.Helper()
	return c.loginTo(appKey, accid, token, code)
}

func (c *v1Client) loginTo(appKey, accid, token string, code int) []string {
	c.t.Helper()
	r := c.ask(2, 3, "Property", c.loginTags(appKey, accid, token), code)
	if code != ok {
		if len(r) != 0 {
			c.t.Errorf("a refusal has fields, %v", r)
		}
		return nil
	}
	if len(r) != 2 {
		c.t.Fatalf("answer %v, want the client's record and those of the others", r)
	}
	own := r[0].(map[string]any)
	if own["38"] != "tag" || own["102"] == "" || own["103"] != "127.0.0.1" || own["104"] == "" || own["109"] == "" {
		c.t.Errorf("own record %v", own)
	}
	return v1Devices(c.t, r[1])
}

// v1Devices returns the device ids in a list of records.
func v1Devices(t *testing.T, list any) []string {
	t.Helper()
	records, ok := list.([]any)
	if !ok {
		t.Fatalf("%v is not a list", list)
	}
	ids := []string{}
	for _, record := range records {
		tags := record.(map[string]any)
		if tags["3"] != "16" || tags["19"] == "" || tags["109"] == "" {
			t.Errorf("record %v", tags)
		}
		ids = append(ids, tags["13"].(string))
	}
	return ids
}

// wantChange reads a change: the other device has logged in (2) or out (3).
func (c *v1Client) wantChange(change float64, device string) {
	c.t.Helper()
	r := c.want(2, 7, 0, ok)
	if len(r) != 2 || r[0] != change {
		c.t.Fatalf("change %v, want %v", r, change)
	}
	if ids := v1Devices(c.t, r[1]); len(ids) != 1 || ids[0] != device {
		c.t.Errorf("change of %v, want of %s", ids, device)
	}
}

// wantKicked reads a kick: client type, reason, text, custom client type.
func (c *v1Client) wantKicked(clientType, reason float64, why string) {
	c.t.Helper()
	r := c.want(2, 5, 0, ok)
	if len(r) != 4 || r[0] != clientType || r[1] != reason || r[2] != why || r[3] != 0.0 {
		c.t.Errorf("kick %v, want %v, %v, %q, 0", r, clientType, reason, why)
	}
}
