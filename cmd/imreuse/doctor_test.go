package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// A practice is a private deployment for the doctor to examine.
type practice struct {
	server *nimhttptest.Server
	cloud  *nimcloud.Cloud
	flags  map[string]string
}

// newPractice starts a deployment without faults, and sets the secrets in the
// environment.
func newPractice(t *testing.T, o nimhttptest.Options) *practice {
	t.Helper()
	server := nimhttptest.New(t, o)
	cloud, err := nimcloud.Start(nimcloud.Options{World: server.World()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Close() })
	t.Setenv("IMREUSE_USER_TOKEN", nimhttptest.UserToken)
	t.Setenv("IMREUSE_GATEWAY_SECRET", server.GatewaySecret())
	return &practice{server, cloud, map[string]string{
		"-appkey": nimhttptest.AppKey, "-user": nimhttptest.UserUUID,
		"-kit": server.KitURL(), "-gateway": server.GatewayURL(), "-lbs": cloud.LBSURL(), "-link": cloud.LinkAddr(),
	}}
}

func (p *practice) args(more ...string) []string {
	args := append([]string{"doctor", "-link-plain"}, more...)
	for name, value := range p.flags {
		if value != "" {
			args = append(args, name, value)
		}
	}
	return args
}

// examine runs the command and returns its JSON document.
func (p *practice) examine(t *testing.T, more ...string) (code int, r report, stderr string) {
	t.Helper()
	code, out, errs := command(t, p.args(append(more, "-json")...)...)
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil || decoder.More() {
		t.Fatalf("got exit status %d, %q and %q, want one document", code, out, errs)
	}
	return code, r, errs
}

// statuses returns the checks as name:status.
func (r report) statuses() string {
	var all []string
	for _, f := range r.Checks {
		all = append(all, f.Name+":"+f.Status)
	}
	return strings.Join(all, " ")
}

func (r report) find(t *testing.T, name string) finding {
	t.Helper()
	for _, f := range r.Checks {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("there is no check %s in %+v", name, r)
	return finding{}
}

const allWell = "node:skipped sdk:skipped gateway:ok lbs:ok link:ok clock:ok kit:ok account:ok im-login:"

func TestDoctorAllWell(t *testing.T) {
	p := newPractice(t, nimhttptest.Options{})
	code, r, errs := p.examine(t)
	if code != 0 || errs != "" || !r.OK || r.Accid != "myaccid" || r.statuses() != allWell+"skipped" {
		t.Errorf("got exit status %d, %q and %+v", code, errs, r)
	}
	code, r, errs = p.examine(t, "-login-im")
	if code != 0 || errs != "" || !r.OK || r.statuses() != allWell+"ok" {
		t.Errorf("-login-im: got exit status %d, %q and %+v", code, errs, r)
	}
	code, out, errs := command(t, p.args("-login-im")...)
	if code != 0 || errs != "" || strings.Count(out, "\n") != len(r.Checks) || !strings.Contains(out, `bound to the IM account "myaccid"`) {
		t.Errorf("as text: got exit status %d, %q and\n%s", code, errs, out)
	}
}

// Without -user, the kit server is still examined.
func TestDoctorNoAccount(t *testing.T) {
	p := newPractice(t, nimhttptest.Options{})
	t.Setenv("IMREUSE_USER_TOKEN", "")
	p.flags["-user"] = ""
	code, r, errs := p.examine(t, "-login-im")
	if want := strings.Replace(allWell, "account:ok", "account:skipped", 1) + "skipped"; code != 0 || errs != "" || r.statuses() != want {
		t.Errorf("got exit status %d, %q and %+v", code, errs, r)
	}
}

// unusedAddr returns an address on which nobody listens.
func unusedAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Each fault makes exactly one check fail, with a remedy. Checks that depend on
// it are skipped, and all others are made.
func TestDoctorFindsFaults(t *testing.T) {
	const page = "<html>It works!</html>"
	later := func(by time.Duration) nimhttptest.Options {
		return nimhttptest.Options{Now: func() time.Time { return time.Now().Add(by) }}
	}
	tests := []struct {
		name           string
		options        nimhttptest.Options
		breakIt        func(*testing.T, *practice)
		failed         string
		skipped        string
		detail, remedy string
	}{
		{name: "wrong gateway secret", failed: "gateway", skipped: "node sdk im-login", remedy: "IMREUSE_GATEWAY_SECRET",
			detail: "the program at -gateway has another secret than IMREUSE_GATEWAY_SECRET",
			breakIt: func(t *testing.T, p *practice) {
				t.Setenv("IMREUSE_GATEWAY_SECRET", "another secret, which is long enough")
			}},
		{name: "no gateway secret", failed: "gateway", skipped: "node sdk im-login", detail: "IMREUSE_GATEWAY_SECRET is empty", remedy: "IMREUSE_GATEWAY_SECRET",
			breakIt: func(t *testing.T, p *practice) { t.Setenv("IMREUSE_GATEWAY_SECRET", "") }},
		{name: "gateway down", failed: "gateway", skipped: "node sdk im-login", detail: "refused", remedy: "imreuse gateway",
			breakIt: func(t *testing.T, p *practice) { p.flags["-gateway"] = "http://" + unusedAddr(t) }},
		{name: "no gateway there", failed: "gateway", skipped: "node sdk im-login", detail: "the program at -gateway is not", remedy: "-gateway",
			breakIt: func(t *testing.T, p *practice) { p.flags["-gateway"] = p.server.KitURL() }},
		{name: "lbs down", failed: "lbs", skipped: "node sdk", detail: "refused", remedy: "-lbs",
			breakIt: func(t *testing.T, p *practice) { p.flags["-lbs"] = "http://" + unusedAddr(t) + "/lbs" }},
		{name: "lbs failing", failed: "lbs", skipped: "node sdk", detail: "HTTP 503", remedy: "-lbs",
			breakIt: func(t *testing.T, p *practice) { p.cloud.FailLBS(503) }},
		{name: "no lbs there", failed: "lbs", skipped: "node sdk", detail: "names no link server", remedy: "-lbs",
			breakIt: func(t *testing.T, p *practice) {
				p.flags["-lbs"] = p.server.KitURL() + "/lbs"
				p.answer("/lbs", `{"code": 0}`, 1)
			}},
		{name: "lbs of another content type", failed: "lbs", skipped: "node sdk", detail: "application/json", remedy: "-lbs",
			breakIt: func(t *testing.T, p *practice) {
				p.flags["-lbs"] = p.server.KitURL() + "/lbs"
				p.server.Fault(nimhttptest.Fault{Path: "/lbs", Header: http.Header{"Content-Type": {"text/plain"}}, Body: `{"common": {}}`})
			}},
		{name: "link failing", failed: "link", skipped: "node sdk im-login", detail: "503", remedy: "-link",
			breakIt: func(t *testing.T, p *practice) { p.cloud.FailLink(503) }},
		{name: "clock behind by 6 minutes", options: later(6 * time.Minute), failed: "clock", skipped: "node sdk", detail: "differ by", remedy: "NTP"},
		{name: "clock ahead by 6 minutes", options: later(-6 * time.Minute), failed: "clock", skipped: "node sdk", detail: "differ by", remedy: "NTP"},
		{name: "kit server down", failed: "kit", skipped: "node sdk account im-login", detail: "refused", remedy: "-kit",
			breakIt: func(t *testing.T, p *practice) { p.flags["-kit"] = "http://" + unusedAddr(t) }},
		{name: "kit server out of order", failed: "kit", skipped: "node sdk account im-login", detail: "HTTP 503", remedy: "is out of order: try again later",
			breakIt: func(t *testing.T, p *practice) {
				p.server.Fault(nimhttptest.Fault{Path: "/v1/login", Status: 503, Body: "<html>", Times: 9})
			}},
		{name: "kit server not JSON", failed: "kit", skipped: "node sdk account im-login", detail: "JSON", remedy: "-kit",
			breakIt: func(t *testing.T, p *practice) { p.answer("/v1/login", page, 9) }},
		{name: "kit server of something else", failed: "kit", skipped: "node sdk account im-login", remedy: "-kit",
			breakIt: func(t *testing.T, p *practice) { p.answer("/v1/login", `{"status": "up"}`, 9) }},
		{name: "wrong AppKey", failed: "account", skipped: "node sdk im-login", detail: "404", remedy: "-appkey",
			breakIt: func(t *testing.T, p *practice) { p.flags["-appkey"] = "app2" }},
		{name: "wrong AppKey, no account", failed: "kit", skipped: "node sdk account im-login", detail: "404", remedy: "-appkey",
			breakIt: func(t *testing.T, p *practice) {
				p.flags["-appkey"], p.flags["-user"] = "app2", ""
				t.Setenv("IMREUSE_USER_TOKEN", "")
			}},
		{name: "wrong token", failed: "account", skipped: "node sdk im-login", detail: "402", remedy: "token",
			breakIt: func(t *testing.T, p *practice) { t.Setenv("IMREUSE_USER_TOKEN", "stale") }},
		{name: "no token", failed: "account", skipped: "node sdk im-login", remedy: "IMREUSE_USER_TOKEN",
			breakIt: func(t *testing.T, p *practice) { t.Setenv("IMREUSE_USER_TOKEN", "") }},
		{name: "malformed token", failed: "account", skipped: "node sdk im-login", remedy: "IMREUSE_USER_TOKEN",
			breakIt: func(t *testing.T, p *practice) { t.Setenv("IMREUSE_USER_TOKEN", "two\nlines") }},
		{name: "no user", failed: "account", skipped: "node sdk im-login", remedy: "-user",
			breakIt: func(t *testing.T, p *practice) { p.flags["-user"] = "" }},
		{name: "no IM account", failed: "account", skipped: "node sdk im-login", detail: "bound to no IM account", remedy: "imAccid",
			breakIt: func(t *testing.T, p *practice) { p.answer("/v1/login", `{"code": 1021, "msg": "no"}`, 9) }},
		{name: "not enabled", failed: "account", skipped: "node sdk im-login", detail: "600420", remedy: "NERoom",
			breakIt: func(t *testing.T, p *practice) { p.answer("/v1/login", `{"code": 600420}`, 9) }},
		{name: "IM account disabled", failed: "im-login", skipped: "node sdk", remedy: "token",
			breakIt: func(t *testing.T, p *practice) {
				p.server.World().AddIM(engine.IMAccount{Accid: "other", Token: "t"})
				p.answer("/v1/login", `{"code": 0, "data": {"userUuid": "other", "imKey": "app1", "imToken": "stale"}}`, 9)
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPractice(t, test.options)
			if test.breakIt != nil {
				test.breakIt(t, p)
			}
			code, r, errs := p.examine(t, "-login-im")
			if code != 1 || r.OK || errs != "imreuse: 1 of 9 checks failed\n" {
				t.Errorf("got exit status %d, %q and %+v", code, errs, r)
			}
			for _, f := range r.Checks {
				want := statusOK
				switch {
				case f.Name == test.failed:
					want = statusFailed
				case strings.Contains(" "+test.skipped+" ", " "+f.Name+" "):
					want = statusSkipped
				}
				if f.Status != want || f.Detail == "" || (f.Remedy != "") != (want == statusFailed) {
					t.Errorf("got %+v, want it %s", f, want)
				}
			}
			if f := r.find(t, test.failed); !strings.Contains(f.Detail, test.detail) || !strings.Contains(f.Remedy, test.remedy) {
				t.Errorf("got %+v, want %q and the remedy %q", f, test.detail, test.remedy)
			}
		})
	}
}

// The clock is never compared with the gateway's, which is the same one.
func TestDoctorNoTime(t *testing.T) {
	p := newPractice(t, nimhttptest.Options{})
	p.flags["-kit"], p.flags["-lbs"] = "http://"+unusedAddr(t), "http://"+unusedAddr(t)+"/lbs"
	_, r, _ := p.examine(t)
	if r.find(t, "gateway").Status != statusOK || r.find(t, "clock").Status != statusSkipped {
		t.Errorf("got %+v", r)
	}
}

// answer makes the kit server give that answer to the next calls.
func (p *practice) answer(path, body string, times int) {
	header := http.Header{"Content-Type": {"application/json"}}
	p.server.Fault(nimhttptest.Fault{Path: path, Status: http.StatusOK, Header: header, Body: body, Times: times})
}

// A check without an answer ends after the limit.
func TestDoctorIsBounded(t *testing.T) {
	p := newPractice(t, nimhttptest.Options{})
	p.server.Fault(nimhttptest.Fault{Path: "/v1/login", Delay: time.Hour, Times: 9})
	d := newDoctor(nimhttp.Options{
		AppKey: nimhttptest.AppKey, KitURL: p.server.KitURL(), GatewayURL: p.server.GatewayURL(), GatewaySecret: p.server.GatewaySecret(),
		LBSURL: p.cloud.LBSURL(), LinkAddr: p.cloud.LinkAddr(), LinkPlain: true,
	}, engine.KitAccount{UserUUID: "user", Token: "token"})
	defer d.close()
	d.limit = 100 * time.Millisecond
	f := d.examineOne(t.Context(), check{"kit", nil, (*doctor).checkKit}, nil)
	if f.Status != statusFailed || !strings.Contains(f.Detail, "no answer within 100ms") || f.Remedy == "" {
		t.Errorf("got %+v", f)
	}
}

func TestDoctorBadUse(t *testing.T) {
	for wants, args := range map[string][]string{
		"appkey":                           {"doctor"},
		"-user-token":                      {"doctor", "-appkey", "app1", "-user-token", "s3cr3t"},
		"-gateway-secret":                  {"doctor", "-appkey", "app1", "-gateway-secret=s3cr3t"},
		"no arguments":                     {"doctor", "-appkey", "app1", "s3cr3t"},
		"-kit has":                         {"doctor", "-appkey", "app1", "-kit", "ftp://kit.example.com"},
		"-kit is plain":                    {"doctor", "-appkey", "app1", "-kit", "http://kit.example.com"},
		"-kit has a user name or password": {"doctor", "-appkey", "app1", "-kit", "https://user:s3cr3t@kit.example.com"},
		"-lbs and -link":                   {"doctor", "-appkey", "app1", "-link", "127.0.0.1:1"},
		"-appkey has a con":                {"doctor", "-appkey", "app\n1"},
	} {
		code, out, errs := command(t, args...)
		if code != 2 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, wants) || strings.Contains(errs, "s3cr3t") {
			t.Errorf("%q: got exit status %d, %q and %q, want 2 and %q", args, code, out, errs, wants)
		}
	}
}

// Without -gateway, the doctor checks Node and the installed gateway.
func TestDoctorInstall(t *testing.T) {
	for _, test := range []struct{ name, node, want string }{
		{"not installed", "echo v22.11.0", "node:ok sdk:failed gateway:skipped"},
		{"old Node", "echo v8.0.0", "node:failed sdk:failed gateway:skipped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPractice(t, nimhttptest.Options{})
			p.flags["-gateway"] = ""
			fakeNode(t, test.node, "")
			t.Setenv("NIM_SDK", "")
			code, r, _ := p.examine(t, "-login-im")
			if code != 1 || !strings.HasPrefix(r.statuses(), test.want+" lbs:ok") || !strings.HasSuffix(r.statuses(), "im-login:skipped") {
				t.Errorf("got exit status %d and %s, want %s", code, r.statuses(), test.want)
			}
			if f := r.find(t, "sdk"); !strings.Contains(f.Remedy, "imreuse gateway install") {
				t.Errorf("got %+v", f)
			}
		})
	}
}

// The installed gateway, with the vendor's SDK, logs IM in to the cloud of
// package nimcloud.
func TestDoctorInstalledGateway(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and imreuse gateway install")
	}
	p := newPractice(t, nimhttptest.Options{NoGateway: true})
	code, r, errs := p.examine(t, "-login-im")
	if want := strings.Replace(allWell, "node:skipped sdk:skipped", "node:ok sdk:ok", 1) + "ok"; code != 0 || errs != "" || r.statuses() != want {
		t.Errorf("got exit status %d, %q and %+v", code, errs, r)
	}
}

// No output shows a secret, whatever a server does with it. The secrets have more
// digits than a port, so no port in the output matches them by chance.
func TestDoctorShowsNoSecret(t *testing.T) {
	const im = "im-s3cr3t-471108"
	for _, token := range []string{"user-s3cr3t-471108", `s3cr3t"471108\`, "s3cr3t<471108>", "s3cr3t 471108%", "s3cr3té471108"} {
		quoted, err := json.Marshal(token)
		if err != nil {
			t.Fatal(err)
		}
		for name, fault := range map[string]nimhttptest.Fault{
			"message":      {Body: `{"code": 402, "msg": ` + string(quoted) + `}`},
			"message 500":  {Status: 500, Body: `{"code": 500, "msg": ` + string(quoted) + `}`},
			"unknown code": {Body: `{"code": 471108, "msg": "the token ` + token + ` is unknown"}`},
			"page":         {Body: "<html>" + token + "</html>"},
			"content type": {Header: http.Header{"Content-Type": {"text/" + token}}, Body: "no"},
			"redirect":     {Status: 302, Header: http.Header{"Location": {"https://example.com/?token=" + token}}},
			"request id":   {Body: `{"code": 402, "requestId": ` + string(quoted) + `}`},
			"accid":        {Body: `{"code": 0, "data": {"userUuid": ` + string(quoted) + `, "imKey": "app1", "imToken": "` + im + `"}}`},
			"IM token":     {Body: `{"code": 0, "data": {"userUuid": "` + im + `", "imKey": "` + im + `", "imToken": "` + im + `"}}`},
		} {
			t.Run(name, func(t *testing.T) {
				p := newPractice(t, nimhttptest.Options{})
				t.Setenv("IMREUSE_USER_TOKEN", token)
				t.Setenv("IMREUSE_GATEWAY_SECRET", "gateway-s3cr3t-471108")
				fault.Path, fault.Times = "/v1/login", 99
				if fault.Header == nil {
					fault.Header = http.Header{"Content-Type": {"application/json"}}
				}
				p.server.Fault(fault)
				for _, args := range [][]string{p.args("-login-im"), p.args("-login-im", "-json")} {
					code, out, errs := command(t, args...)
					if code != 1 || !strings.Contains(out, "im-login") {
						t.Errorf("got exit status %d, %q and %q, want a report", code, out, errs)
					}
					if strings.Contains(out+errs, "s3cr3t") || name != "unknown code" && strings.Contains(out+errs, "471108") {
						t.Errorf("a secret is shown:\n%s%s", out, errs)
					}
				}
			})
		}
	}
}

// mask finds secrets in every quoted form, and the report stays on one line.
func TestMask(t *testing.T) {
	secrets := []string{"", `a"b`, "c d", "é"}
	for text, want := range map[string]string{
		"plain":                 "plain",
		`a"b and a\"b`:          "*** and ***",
		"c d, c+d and c%20d":    "***, *** and ***",
		"é, %C3%A9 and \\u00e9": "***, *** and ***",
	} {
		if got := mask(text, secrets); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	var out bytes.Buffer
	if err := newReporter(&out, false).add((&doctor{secrets: secrets}).masked(finding{Detail: "a\nb\x1b[1m"})); err != nil || strings.Count(out.String(), "\n") != 1 || strings.Contains(out.String(), "\x1b") {
		t.Errorf("got %q and %v, want one harmless line", &out, err)
	}
}
