package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

const accid = "alice"

var account = engine.KitAccount{UserUUID: "bot1", Token: "the-first-kit-token"}

// A world is all that the bot depends on: a kit server, a gateway with an
// IM cloud, and the file with the token.
type world struct {
	t        *testing.T
	service  *mockim.Service
	kit      *nimhttptest.Server
	kitAddr  string
	gateway  restartable
	settings map[string]string
	secrets  []string // which no log may have
}

// restartable is a gateway with an address and a secret of its own.
type restartable interface {
	kill()
	start()
	settings() map[string]string
}

func newWorld(t *testing.T, ip string) *world {
	t.Helper()
	service := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	im := engine.IMAccount{Accid: accid, Token: "the-im-token"}
	service.AddIM(im)
	w := &world{t: t, service: service, kitAddr: ownIP(ip) + ":0"}
	w.openKit()
	w.kitAddr = strings.TrimPrefix(w.kit.KitURL(), "http://")
	w.gateway = newDouble(t, service)
	if vendored() {
		w.gateway = newNode(t, service, ownIP(ip))
	}
	w.settings = w.gateway.settings()
	w.settings["IMREUSE_APP_KEY"] = "app1"
	w.settings["IMREUSE_KIT_URL"] = w.kit.KitURL()
	w.settings["IMREUSE_USER_UUID"] = account.UserUUID
	w.settings["IMREUSE_USER_TOKEN_FILE"] = filepath.Join(t.TempDir(), "token")
	w.secrets = []string{im.Token, w.settings["IMREUSE_GATEWAY_SECRET"]}
	w.writeToken(account.Token)
	return w
}

// unset leaves a setting out of the next bot's environment.
func (w *world) unset(variable string) { w.settings[variable] = "" }

// writeToken gives the account that token, and puts it into the file, at once as
// a program that replaces a token should.
func (w *world) writeToken(token string) {
	w.t.Helper()
	w.secrets = append(w.secrets, token)
	w.service.Bind(engine.KitAccount{UserUUID: account.UserUUID, Token: token}, accid)
	path := w.settings["IMREUSE_USER_TOKEN_FILE"]
	if err := os.WriteFile(path+".new", []byte(token+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) openKit() {
	w.t.Helper()
	kit, err := nimhttptest.Start(nimhttptest.Options{World: w.service, AppKey: "app1", Addr: w.kitAddr, NoGateway: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.kit = kit
	w.t.Cleanup(func() { kit.Close() })
}

func (w *world) closeKit() {
	w.t.Helper()
	if err := w.kit.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) lastKitToken() string {
	token := ""
	for _, r := range w.kit.Requests() {
		if strings.HasSuffix(r.Path, "/login") {
			token = r.Header.Get("token")
		}
	}
	return token
}

func (w *world) restartGateway() {
	w.gateway.kill()
	w.gateway.start()
}

// wantNobody wants no slot at the gateway, and no login of the account at the IM
// cloud: while it has one, the account cannot be removed. It does not wait for as
// long as the gateway, which logs an account out 60 s after its client has died.
func (w *world) wantNobody() {
	w.t.Helper()
	const bound = 20 * time.Second
	if !pollFor(bound, func() bool { return w.slots() == 0 }) {
		w.t.Errorf("the gateway still has %d slots", w.slots())
	}
	if !pollFor(bound, func() bool { return w.service.RemoveKit(account.UserUUID) }) {
		w.t.Error("the account is still logged in at the IM cloud")
	}
}

func (w *world) slots() int {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, w.settings["IMREUSE_GATEWAY_URL"]+"/healthz", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	health := struct{ Slots int }{-1}
	if err := json.NewDecoder(response.Body).Decode(&health); err != nil {
		w.t.Fatal(err)
	}
	return health.Slots
}

// A double is the gateway of package nimhttptest.
type double struct{ server *nimhttptest.Server }

func newDouble(t *testing.T, service *mockim.Service) double {
	t.Helper()
	return double{nimhttptest.New(t, nimhttptest.Options{World: service, AppKey: "app1"})}
}

func (d double) kill()  { d.server.RestartGateway() }
func (d double) start() {} // kill has done it

func (d double) settings() map[string]string {
	return map[string]string{"IMREUSE_GATEWAY_URL": d.server.GatewayURL(), "IMREUSE_GATEWAY_SECRET": d.server.GatewaySecret()}
}

// A node is the installed gateway, with the vendor's SDK, over nimcloud.
type node struct {
	t       *testing.T
	cloud   *nimcloud.Cloud
	addr    string
	process *nimhttp.Gateway
}

func newNode(t *testing.T, service *mockim.Service, ip string) *node {
	t.Helper()
	cloud, err := nimcloud.Start(nimcloud.Options{World: service})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Close() })
	n := &node{t: t, cloud: cloud, addr: ip + ":0"}
	n.start()
	n.addr = strings.TrimPrefix(n.process.URL(), "http://")
	return n
}

const nodeSecret = "a-secret-that-outlives-the-gateway"

func (n *node) start() {
	n.t.Helper()
	dir, err := gateway.Dir()
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the cleanup
	process, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: dir, Addr: n.addr, Secret: nodeSecret})
	if err != nil {
		cancel()
		n.t.Fatalf("StartGateway on %s: %v", n.addr, err)
	}
	n.process = process
	n.t.Cleanup(func() {
		if err := process.Close(); err != nil {
			n.t.Error(err)
		}
		cancel()
	})
}

// kill ends the process as the system does, and waits for that.
func (n *node) kill() {
	n.t.Helper()
	process, err := os.FindProcess(n.process.Pid())
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.process.Wait(); err == nil {
		n.t.Fatal("the gateway ended by itself")
	}
}

func (n *node) settings() map[string]string {
	return map[string]string{
		"IMREUSE_GATEWAY_URL": n.process.URL(), "IMREUSE_GATEWAY_SECRET": nodeSecret,
		"IMREUSE_LBS_URL": n.cloud.LBSURL(), "IMREUSE_LINK_ADDR": n.cloud.LinkAddr(), "IMREUSE_LINK_PLAIN": "1",
	}
}
