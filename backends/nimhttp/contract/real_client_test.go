package contract_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// The real gateway with the vendor's SDK, and an IM cloud for it to log in to.

// startRealGateway starts the installed gateway with the vendor's SDK.
func startRealGateway(t *testing.T, said *gatewaytest.Buffer) *nimhttp.Gateway {
	t.Helper()
	t.Setenv("NIM_SDK", "")
	t.Setenv("IMREUSE_GATEWAY_LOG", "log") // the SDK's most verbose level, to check all that it can print
	if err := gateway.CheckNode(t.Context(), "node"); err != nil {
		t.Fatal(err)
	}
	dir, err := gateway.Dir()
	if err != nil {
		t.Fatal(err)
	}
	if !gateway.Installed(dir) {
		t.Fatalf("no gateway is installed in %s; run: imreuse gateway install", dir)
	}
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the cleanup
	g, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: dir, Stderr: said})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.Close(), g.Wait()); err != nil {
			t.Errorf("closing the gateway: %v", err)
		}
		cancel()
	})
	return g
}

// wantNoSecrets closes the gateway, and looks for secrets in its output.
func wantNoSecrets(t *testing.T, g *nimhttp.Gateway, said *gatewaytest.Buffer) {
	t.Helper()
	if err := g.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	text := said.String()
	if !strings.Contains(text, "user-one") {
		t.Errorf("%d bytes of output do not mention user-one, so this test proves nothing", len(text))
	}
	for _, secret := range []string{g.Secret(), tokenOne, tokenTwo, tokenNew, tokenWrong} {
		for line := range strings.Lines(text) {
			if strings.Contains(line, secret) {
				t.Errorf("the gateway printed a secret (%.12s…): %.300s", secret, line)
				break
			}
		}
	}
}

// newRealWorld makes an IM cloud with two accounts.
func newRealWorld(t *testing.T, multiDevice bool) (*mockim.Service, *nimcloud.Cloud) {
	t.Helper()
	world := twoAccounts(multiDevice)
	cloud, err := nimcloud.Start(nimcloud.Options{World: world, AppSecret: contractAppSecret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("closing the cloud: %v", err)
		}
	})
	return world, cloud
}

// realSetup returns the fields of a PUT for a slot that uses cloud.
func realSetup(cloud *nimcloud.Cloud) map[string]any {
	return map[string]any{"appKey": gatewayAppKey, "lbsUrl": cloud.LBSURL(), "linkAddr": cloud.LinkAddr(), "linkPlain": true}
}

// readySlot returns an initialised slot of the gateway.
func readySlot(t *testing.T, g *nimhttp.Gateway, cloud *nimcloud.Cloud, name string) *gatewaySlot {
	t.Helper()
	s := newGatewaySlot(t, newGatewayClient(t, g.URL(), g.Secret(), newJudge(t)), name, realSetup(cloud))
	s.wants("PUT", s.init(), "200")
	return s
}

// watchEnd starts a reader, which sends nil when it sees the logout of that
// session or the release of the slot. watchEnd returns when the reader has sent
// its request.
func (s *gatewaySlot) watchEnd(of gatewaySnapshot) <-chan error {
	s.t.Helper()
	sent, end := make(chan struct{}, 1), make(chan error, 1)
	wrote := func(httptrace.WroteRequestInfo) {
		select {
		case sent <- struct{}{}:
		default: // only the first read counts
		}
	}
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{WroteRequest: wrote})
	go func() {
		now := of
		for now.Session == of.Session {
			r, err := s.call(ctx, "GET", fmt.Sprintf("?after=%d&waitMs=20000", now.Seq), nil)
			switch {
			case err == nil && r.status == 404:
				end <- nil
				return
			case err != nil || r.status != 200:
				end <- fmt.Errorf("after %v: got %v, %v", now, r, err)
				return
			}
			now = r.snapshot
		}
		if !now.isLoggedOut() || now.Ended == nil || *now.Ended != (gatewayEnd{Session: of.Session}) {
			end <- fmt.Errorf("got %v, want a logout", now)
			return
		}
		end <- nil
	}()
	select {
	case <-sent:
	case err := <-end:
		s.t.Fatalf("slot %s ended early: %v", s.name, err)
	}
	return end
}

func terminate(g *nimhttp.Gateway) error {
	node, err := os.FindProcess(g.Pid())
	if err != nil {
		return err
	}
	return node.Signal(syscall.SIGTERM)
}
