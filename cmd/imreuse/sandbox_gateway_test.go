package main

import (
	"net/http"
	"strings"
	"testing"
)

// wantGateway checks that the gateway answers, and only to callers that know its
// secret.
func wantGateway(t *testing.T, first map[string]string) {
	t.Helper()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	for secret, want := range map[string]int{first["gatewaySecret"]: http.StatusOK, "another": http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, first["gateway"]+"/v1/im/a", strings.NewReader(`{"appKey": "app1"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+secret)
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("the gateway: got HTTP %d, want %d", res.StatusCode, want)
		}
	}
}
