package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/engine"
)

var session = uuid.MustParse("6ba7b810-9dad-41d1-80b4-00c04fd430c8")

// records are Statuses in the form that machines read.
var records = []struct {
	name string
	s    engine.Status
	json string
}{
	{"the zero Status", engine.Status{},
		`{"seq":0,"state":"uninitialized","via":"","floor":"uninitialized","online":false,"reused":false,"anonymous":false,"expired":false}`},
	{"a reused login", engine.Status{Seq: 7, State: kitLoggedIn, Via: engine.TriggerLoginKit, Floor: imLoggedIn, Online: true,
		Session: session, Accid: "myaccid", UserUUID: "user1"},
		`{"seq":7,"state":"kit_logged_in","via":"login_kit","floor":"im_logged_in","online":true,"reused":true,` +
			`"session":"6ba7b810-9dad-41d1-80b4-00c04fd430c8","accid":"myaccid","userUuid":"user1","anonymous":false,"expired":false}`},
	{"an anonymous login whose token has run out", engine.Status{Seq: 1<<64 - 1, State: kitLoggedIn, Via: engine.TriggerLoginKit,
		Session: session, Accid: "a", UserUUID: "b", Anonymous: true, Expired: true},
		`{"seq":18446744073709551615,"state":"kit_logged_in","via":"login_kit","floor":"uninitialized","online":false,"reused":false,` +
			`"session":"6ba7b810-9dad-41d1-80b4-00c04fd430c8","accid":"a","userUuid":"b","anonymous":true,"expired":true}`},
	{"a kick", lostBy(&engine.KickError{Reason: engine.KickedByServer, ClientType: 16, Text: `with "quotes" & <b>`}),
		lostJSON + `{"code":-20012,"text":"the service ended the IM login: it was kicked by the server (client type 16): with \"quotes\" \u0026 \u003cb\u003e",` +
			`"remedy":"` + engine.ErrKicked.Remedy() + `","kick":{"reason":2,"clientType":16,"text":"with \"quotes\" \u0026 \u003cb\u003e"}}}`},
	{"a kick of which little is known", lostBy(&engine.KickError{Reason: engine.KickedByClient}),
		lostJSON + `{"code":-20012,"text":"the service ended the IM login: it was kicked by a login on another device",` +
			`"remedy":"` + engine.ErrKicked.Remedy() + `","kick":{"reason":1}}}`},
	{"a kick in a chain", lostBy(&engine.Error{Op: "LoginKit", State: imInitialized, Err: &engine.KickError{Reason: engine.KickedByOther}}),
		lostJSON + `{"code":-20012,"text":"imreuse: LoginKit in im_initialized: the service ended the IM login: it was kicked by another device",` +
			`"remedy":"` + engine.ErrKicked.Remedy() + `","kick":{"reason":3}}}`},
	{"a Code", lostBy(engine.ErrTokenExpired),
		lostJSON + `{"code":-20008,"text":"` + engine.ErrTokenExpired.Error() + `","remedy":"` + engine.ErrTokenExpired.Remedy() + `"}}`},
	{"a foreign cause", lostBy(&engine.Error{Op: "im_lost", State: imLoggedIn, Err: errors.New("out of paper")}),
		lostJSON + `{"code":0,"text":"imreuse: im_lost in im_logged_in: out of paper"}}`},
	{"a cause whose methods panic", lostBy(&engine.Error{Op: "im_lost", State: imLoggedIn, Err: brokenError{}}),
		lostJSON + `{"code":0,"text":"imreuse: im_lost in im_logged_in: an error of type engine_test.brokenError"}}`},
}

func lostBy(cause error) engine.Status {
	return engine.Status{Seq: 3, State: imInitialized, Via: engine.TriggerIMLost, Cause: cause, Floor: imInitialized}
}

const lostJSON = `{"seq":3,"state":"im_initialized","via":"im_lost","floor":"im_initialized","online":false,"reused":false,` +
	`"anonymous":false,"expired":false,"cause":`

func TestStatusJSON(t *testing.T) {
	for _, row := range records {
		t.Run(row.name, func(t *testing.T) {
			for form, v := range map[string]any{"a value": row.s, "a pointer": &row.s} {
				got, err := json.Marshal(v)
				if err != nil || string(got) != row.json {
					t.Errorf("%s: %v\ngot  %s\nwant %s", form, err, got, row.json)
				}
			}
		})
	}
}

// In slog it is a group with the same keys and values.
func TestStatusLogValue(t *testing.T) {
	for _, row := range records {
		t.Run(row.name, func(t *testing.T) {
			var line bytes.Buffer
			slog.New(slog.NewJSONHandler(&line, nil)).Info("x", "status", row.s)
			var got struct{ Status any }
			var want any
			if err := errors.Join(json.Unmarshal(line.Bytes(), &got), json.Unmarshal([]byte(row.json), &want)); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got.Status) != fmt.Sprint(want) {
				t.Errorf("got  %v\nwant %v", got.Status, want)
			}
			if v := slog.AnyValue(row.s).Resolve(); v.Kind() != slog.KindGroup {
				t.Errorf("it is a %v, want a group", v.Kind())
			}
		})
	}
}

// It reads well as text, too.
func TestStatusLogText(t *testing.T) {
	var line bytes.Buffer
	h := slog.NewTextHandler(&line, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	slog.New(h).Info("lost", "status", lostBy(&engine.KickError{Reason: engine.KickedByServer, ClientType: 1}))
	want := `level=INFO msg=lost status.seq=3 status.state=im_initialized status.via=im_lost status.floor=im_initialized ` +
		`status.online=false status.reused=false status.anonymous=false status.expired=false status.cause.code=-20012 ` +
		`status.cause.text="the service ended the IM login: it was kicked by the server (client type 1)" ` +
		`status.cause.remedy="` + engine.ErrKicked.Remedy() + `" status.cause.kick.reason=2 status.cause.kick.clientType=1` + "\n"
	if line.String() != want {
		t.Errorf("got  %swant %s", line.String(), want)
	}
}

// No token is in it, whoever put one into an error.
func TestStatusRecordHasNoToken(t *testing.T) {
	s := lostBy(&engine.MismatchError{Bound: imAccount, LoggedIn: engine.IMAccount{Accid: "other", Token: secret}})
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	noToken(t, "JSON", string(text))
	for handler, text := range logged(s) {
		noToken(t, handler, text)
	}
}
