package nimhttp_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

// The secrets in the values below. No other text contains them.
var printed = struct{ gateway, kit, im, app, inner string }{
	gateway: "Gat3way-s3cret-0123456789", kit: "K1t-t0ken-0123456789", im: "1m-t0ken-0123456789", app: "App-s3cret-0123456789",
	inner: "1nner-of-the-h0st's-own",
}

// insides is a part of a host's HTTP client that must not be printed.
type insides struct{ Secret string }

func (i *insides) Write(p []byte) (int, error) { return len(p), nil }

// printables returns all values that have a secret. They are logged in, so they
// have tokens too.
func printables(t *testing.T) map[string]any {
	t.Helper()
	in := &insides{printed.inner}
	transport := &http.Transport{ProxyConnectHeader: http.Header{"Secret": {printed.inner}}}
	t.Cleanup(transport.CloseIdleConnections)
	server := nimhttptest.New(t, nimhttptest.Options{AppSecret: printed.app})
	account := engine.KitAccount{UserUUID: "user1", Token: printed.kit}
	server.World().AddIM(engine.IMAccount{Accid: "user1", Token: printed.im})
	server.World().Bind(account, "user1")
	o := nimhttp.Options{AppKey: nimhttptest.AppKey, KitURL: server.KitURL(), GatewayURL: server.GatewayURL(), GatewaySecret: server.GatewaySecret(),
		HTTPClient: &http.Client{Transport: transport}, Logger: slog.New(slog.NewTextHandler(in, nil))}
	b, err := nimhttp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	im, err := b.Authenticate(t.Context(), account)
	wantWell(t, err)
	wantWell(t, b.InitIM(t.Context(), im.AppKey))
	wantWell(t, b.LoginIM(t.Context(), im, engine.Notify{}))
	wantWell(t, b.LoginKit(t.Context(), account, engine.Notify{}))
	p := provision.Options{AppKey: nimhttptest.AppKey, AppSecret: printed.app, KitURL: server.APIURL(), HTTPClient: o.HTTPClient}
	client, err := provision.New(p)
	wantWell(t, err)
	_, err = client.CreateRoomAccount(t.Context(), provision.AccountRequest{UserUUID: "user2", UserToken: printed.kit})
	wantWell(t, err)
	g, err := nimhttp.StartGateway(t.Context(), nimhttp.GatewayOptions{
		Dir: gatewaytest.FakeInstall(t), Node: gatewaytest.FakeNode(t, "v22.1.0", gatewaytest.Listens+"\n"+gatewaytest.UntilEnd), Secret: printed.gateway})
	wantWell(t, err)
	t.Cleanup(func() { g.Close() })
	o.KitURL = "https://user:" + printed.inner + "@kit.example.com/?token=" + printed.kit // New would refuse this URL
	o.GatewaySecret = printed.gateway
	return map[string]any{
		"nimhttp.Options":     o,
		"GatewayOptions":      nimhttp.GatewayOptions{Secret: printed.gateway, Stderr: in},
		"Kit":                 b.Kit,
		"IM":                  b.IM,
		"Backend":             b,
		"Gateway":             g,
		"provision.Options":   p,
		"provision.Client":    client,
		"AccountRequest":      provision.AccountRequest{Accid: "user1", IMToken: printed.im, UserToken: printed.kit},
		"nimhttptest.Options": nimhttptest.Options{AppSecret: printed.app},
		"nimhttptest.Server":  server,
		"the gateway's own":   server.GatewaySecret(), // only to search for
	}
}

// arrangements returns the ways in which a host may hold a value that it
// prints.
func arrangements(v any) map[string]any {
	type holder struct {
		Name  string
		Value any
	}
	all := map[string]any{
		"alone": v, "in a struct": holder{"x", v}, "behind a pointer": &holder{"x", v}, "in a slice": []any{v},
		"in a map": map[string]any{"x": v}, "deep": []map[string][]holder{{"x": {{"y", holder{"z", v}}, {"y", []holder{{"z", v}}}}}},
	}
	of := reflect.ValueOf(v)
	if of.Kind() == reflect.Pointer {
		if _, double := v.(*nimhttptest.Server); !double { // its tokens belong to tests
			all["its value"] = of.Elem().Interface() // as a careless *v prints it
		}
	} else {
		pointer := reflect.New(of.Type())
		pointer.Elem().Set(of)
		all["its pointer"] = pointer.Interface()
		all["pointers in a slice"] = []any{pointer.Interface()}
		slice := reflect.MakeSlice(reflect.SliceOf(of.Type()), 0, 1)
		all["in a slice of its type"] = reflect.Append(slice, of).Interface()
		field := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: of.Type()}})).Elem()
		field.Field(0).Set(of)
		all["in a field of its type"] = field.Interface()
	}
	return all
}

// unexported is a host's type with our clients in unexported fields.
type unexported struct {
	kit     *nimhttp.Kit
	im      *nimhttp.IM
	backend *nimhttp.Backend
	gateway *nimhttp.Gateway
	client  *provision.Client
	server  *nimhttptest.Server
}

// printings returns a value in every form in which it may reach a log.
func printings(v any) map[string]string {
	all := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x"} {
		all[verb] = fmt.Sprintf(verb, v)
	}
	asJSON, _ := json.Marshal(v) // some values cannot be marshalled
	all["JSON"] = string(asJSON)
	var text, object bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&object, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	all["slog text"], all["slog JSON"] = text.String(), object.String()
	return all
}

// disguises returns the forms that a secret may take in a print.
func disguises(secret string) []string {
	b := []byte(secret)
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	goSyntax := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}")
	unpadded := func(s string) string { return strings.TrimRight(s, "=") }
	return []string{
		secret, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), fmt.Sprintf("% x", b), decimal, strings.ReplaceAll(decimal, " ", ","), goSyntax,
		unpadded(base64.StdEncoding.EncodeToString(b)), unpadded(base64.URLEncoding.EncodeToString(b)),
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	values := printables(t)
	secrets := []string{printed.gateway, printed.kit, printed.im, printed.app, printed.inner, values["the gateway's own"].(string)}
	delete(values, "the gateway's own")
	values["a host's type"] = unexported{values["Kit"].(*nimhttp.Kit), values["IM"].(*nimhttp.IM), values["Backend"].(*nimhttp.Backend),
		values["Gateway"].(*nimhttp.Gateway), values["provision.Client"].(*provision.Client), values["nimhttptest.Server"].(*nimhttptest.Server)}
	for name, v := range values {
		for how, arranged := range arrangements(v) {
			for as, got := range printings(arranged) {
				for _, secret := range secrets {
					for _, disguise := range disguises(secret) {
						if strings.Contains(got, disguise) {
							t.Errorf("%s %s, %s: %q is in %.600s", name, how, as, disguise, got)
						}
					}
				}
			}
		}
	}
}

// The prints without secrets still say what a value is.
func TestPrintsSayWhatItIs(t *testing.T) {
	k := newKit(t, nimhttp.Options{KitURL: "https://kit.example.com/prefix"})
	if got := fmt.Sprint(k); !strings.Contains(got, "https://kit.example.com/prefix") {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprintf("%+v", nimhttp.Options{AppKey: "app1", GatewayURL: "http://127.0.0.1:7788"}); !strings.Contains(got, "app1") || !strings.Contains(got, "http://127.0.0.1:7788") {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint((*nimhttp.Kit)(nil)); got != "<nil>" {
		t.Errorf("a nil Kit: got %s", got)
	}
}

func TestNoTokenInLogs(t *testing.T) {
	var log bytes.Buffer
	s := newStub(t, ok(`{"code":402,"msg":"kit-token-1"}`))
	k := newKit(t, nimhttp.Options{KitURL: s.URL, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	_, _ = k.Authenticate(t.Context(), account)
	if !strings.Contains(log.String(), "/v1/login") || strings.Contains(log.String(), account.Token) {
		t.Errorf("got log %q", &log)
	}
	good := newKit(t, nimhttp.Options{KitURL: newStub(t, ok(loginReply)).URL})
	logIn(t, good, nil)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		if got := fmt.Sprintf(format, good); strings.Contains(got, account.Token) {
			t.Errorf("%s prints the token", format)
		}
	}
}

func TestZeroGatewayPrints(t *testing.T) {
	if got := fmt.Sprint(new(nimhttp.Gateway)); got != "nimhttp.Gateway{}" {
		t.Errorf("got %s", got)
	}
}
