package contract_test

import (
	"net/http"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewaytest"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// One table for the double of the gateway and for the real gateway with the
// vendor's SDK. Both must follow gateway/openapi.yaml.

// A contractWorld is a gateway for one row. Its IM has two accounts.
type contractWorld struct {
	*gatewayClient
	t      *testing.T
	im     *mockim.Service
	setup  map[string]any                     // the fields of a PUT
	outage func(accid string, on bool)        // takes the account's connection down, or brings it back
	mute   func(on bool)                      // leaves logins of user-one unanswered
	online func(t *testing.T, want ...string) // waits until exactly those are logged in; the double has no way to tell
	close  func() error                       // closes the gateway; only if no other row shares it
}

// slot returns a slot without initialising it; ready returns an initialised
// one. Rows share a gateway, so no other row may use the name.
func (w *contractWorld) slot(name string) *gatewaySlot {
	return newGatewaySlot(w.t, w.gatewayClient, name, w.setup)
}

func (w *contractWorld) ready(name string) *gatewaySlot {
	w.t.Helper()
	s := w.slot(name)
	if r := s.init(); r.status != 200 || !r.snapshot.isLoggedOut() || r.snapshot.AppKey != gatewayAppKey || r.snapshot.Ended != nil {
		w.t.Fatalf("PUT: got %v", r)
	}
	return s
}

type contractRow struct {
	name string
	run  func(*testing.T, *contractWorld)
}

var contractRows = []contractRow{
	{"login", contractLogin},
	{"login refused", contractRefused},
	{"login of another app", contractOtherApp},
	{"login again", contractLoginAgain},
	{"login with a new token", contractNewToken},
	{"another account", contractOtherAccount},
	{"another configuration", contractOtherConfiguration},
	{"before init", contractBeforeInit},
	{"deadline", contractDeadline},
	{"request closed", contractClosed},
	{"calls queue", contractQueue},
	{"logout", contractLogout},
	{"release", contractRelease},
	{"owner", contractOwner},
	{"owner and a login under way", contractOwnerQueues},
	{"two slots", contractTwoSlots},
	{"one counter", contractOneCounter},
	{"device kicked by device", contractDevices},
	{"kicked", contractKicked},
	{"ended by the service", contractEnded},
	{"link cut", contractCut},
	{"outage", contractOutage},
	{"token revoked during an outage", contractRevoked},
	{"logout during an outage", contractOutageLogout},
	{"reader", contractReader},
	{"reader who waits", contractReaderWaits},
	{"dynamic token", contractDynamic},
	{"fresh token at a reconnect", contractFreshToken},
	{"no token at a reconnect", contractNoToken},
	{"token refused at a reconnect", contractTokenRefused},
	{"answer to no question", contractNoQuestion},
	{"answer that does not come", contractAnswerTime},
	{"lease", contractLease},
	{"lease with a reader", contractLeaseReader},
	{"secret", contractSecret},
	{"health", contractHealth},
	{"proof", contractProof},
	{"host", contractHost},
	{"connections", contractConnections},
	{"bad requests", contractBadRequests},
	{"good requests", contractGoodRequests},
	{"bounds", contractBounds},
	{"servers", contractServers},
	{"methods", contractMethods},
}

// Rows that close their gateway.
var contractEndings = []contractRow{
	{"close", contractClose},
	{"calls while it closes", contractWhileClosing},
}

func TestContractOfDouble(t *testing.T) {
	j := newJudge(t)
	ran := 0
	for _, row := range append(contractRows, contractEndings...) {
		t.Run(row.name, func(t *testing.T) {
			ran++
			row.run(t, doubleContract(t, j, false))
		})
	}
	t.Run("many devices", func(t *testing.T) { contractManyDevices(t, doubleContract(t, j, true)) })
	wantAllSeen(t, j, ran)
}

func TestContractOfRealGateway(t *testing.T) {
	gatewaytest.SkipWithoutVendor(t)
	var said gatewaytest.Buffer
	g := startRealGateway(t, &said)
	j := newJudge(t)
	ran := 0
	for _, row := range contractRows {
		t.Run(row.name, func(t *testing.T) {
			ran++
			row.run(t, realContract(t, g, j, false))
		})
	}
	for _, row := range contractEndings {
		t.Run(row.name, func(t *testing.T) {
			ran++
			row.run(t, realContract(t, startRealGateway(t, new(gatewaytest.Buffer)), j, false))
		})
	}
	t.Run("many devices", func(t *testing.T) { contractManyDevices(t, realContract(t, g, j, true)) })
	wantAllSeen(t, j, ran)
	wantNoSecrets(t, g, &said)
}

// wantAllSeen checks that each reply of openapi.yaml has been seen, if all rows
// have run.
func wantAllSeen(t *testing.T, j *judge, ran int) {
	t.Helper()
	if left := j.unseen(); len(left) > 0 && ran == len(contractRows)+len(contractEndings) {
		t.Errorf("no row got %q", left)
	}
}

func doubleContract(t *testing.T, j *judge, multiDevice bool) *contractWorld {
	t.Helper()
	world := twoAccounts(multiDevice)
	s := nimhttptest.New(t, nimhttptest.Options{World: world, AppSecret: contractAppSecret})
	return &contractWorld{
		gatewayClient: newGatewayClient(t, s.GatewayURL(), s.GatewaySecret(), j),
		t:             t,
		im:            world,
		setup:         map[string]any{"appKey": gatewayAppKey},
		outage:        func(accid string, on bool) { s.Link(accid, !on) },
		mute:          func(on bool) { s.Link("user-one", !on) },
		online:        func(*testing.T, ...string) {},
		close:         s.Close,
	}
}

func realContract(t *testing.T, g *nimhttp.Gateway, j *judge, multiDevice bool) *contractWorld {
	t.Helper()
	world, cloud := newRealWorld(t, multiDevice)
	return &contractWorld{
		gatewayClient: newGatewayClient(t, g.URL(), g.Secret(), j),
		t:             t,
		im:            world,
		setup:         realSetup(cloud),
		outage:        func(accid string, on bool) { cloudOutage(cloud, accid, on) },
		mute:          cloud.MuteLogin,
		online:        func(t *testing.T, want ...string) { gatewaytest.WantOnline(t, cloud, want...) },
		close:         g.Close,
	}
}

func cloudOutage(cloud *nimcloud.Cloud, accid string, on bool) {
	if !on {
		cloud.FailLink(0)
		return
	}
	cloud.FailLink(http.StatusServiceUnavailable)
	cloud.Drop(accid)
}
