package contract_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// Runs the gateway's own tests in Node, with the vendor's SDK and our IM cloud.
func TestGatewayInNode(t *testing.T) {
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and npm ci in backends/nimhttp/gateway")
	}
	world := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"})
	world.AddIM(engine.IMAccount{Accid: "alice", Token: "alice-token"})
	cloud, err := nimcloud.Start(nimcloud.Options{World: world})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	controls := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		account := r.URL.Query().Get("account")
		if r.URL.Path == "/drop" {
			cloud.Drop(account)
			return
		}
		reason, err := strconv.Atoi(r.URL.Query().Get("reason"))
		if err != nil {
			t.Error(err)
		}
		world.Kick(account, engine.KickReason(reason))
	}))
	defer controls.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", "test/real-sdk.test.mjs")
	node.Dir = "../gateway"
	node.Env = append(os.Environ(), "IMREUSE_IM_LBS="+cloud.LBSURL(), "IMREUSE_IM_LINK="+cloud.LinkAddr(), "IMREUSE_IM_CTL="+controls.URL)
	node.WaitDelay = 10 * time.Second
	output, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	t.Logf("%s", output)
}
