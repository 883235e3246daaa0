package nimhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// BenchmarkKitLogin compares a kit login over loopback with a bare net/http
// client that sends the same request and reads the same reply.
func BenchmarkKitLogin(b *testing.B) {
	s := nimhttptest.New(b, nimhttptest.Options{})
	account := engine.KitAccount{UserUUID: nimhttptest.UserUUID, Token: nimhttptest.UserToken}
	ctx := context.Background()

	k, err := nimhttp.NewKit(nimhttp.Options{AppKey: nimhttptest.AppKey, KitURL: s.KitURL()})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	kit := func() error {
		if _, err := k.Authenticate(ctx, account); err != nil {
			return err
		}
		return k.LoginKit(ctx, account, engine.Notify{})
	}
	bare := func() error { return bareLogin(ctx, c, s.KitURL(), account) }

	for name, login := range map[string]func() error{"kit": kit, "bare": bare} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := login(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// Alternately, so that a slow moment of the machine hits both. 1 means as
	// many logins per second as the bare client.
	b.Run("in turn", func(b *testing.B) {
		var took [2]time.Duration
		for b.Loop() {
			for i, login := range []func() error{kit, bare} {
				began := time.Now()
				if err := login(); err != nil {
					b.Fatal(err)
				}
				took[i] += time.Since(began)
			}
		}
		b.ReportMetric(float64(took[1])/float64(took[0]), "of-bare")
	})
}

func bareLogin(ctx context.Context, c *http.Client, url string, a engine.KitAccount) error {
	r, err := http.NewRequestWithContext(ctx, "POST", url+"/scene/apps/"+nimhttptest.AppKey+"/v1/login", nil)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"user": a.UserUUID, "token": a.Token, "AppKey": nimhttptest.AppKey, "deviceId": "bare", "clientType": "web",
		"versionCode": "1.31.0", "roomKitVer": "1.31.0", "accept-language": "en-US",
	} {
		r.Header.Set(name, value)
	}
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var reply struct {
		Code int
		Data struct{ UserUUID, IMKey, IMToken string }
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return err
	}
	if reply.Code != 0 || reply.Data.IMToken == "" {
		return errors.New("refused")
	}
	return nil
}
