package nimcloud

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// A session is a link and its login, as the serving goroutine sees them.
type session struct {
	*link
	sdk *mockim.Device // the login in the world; nil: there is none
}

// After each login the SDK asks for the settings of file uploads. This cloud
// has none: no store except the default one, and no CDN.
var (
	noUploads = properties{uploadConfig: "{}", uploadConfigTTL: "86400"}
	noCDN     = properties{cdnExpire: "0"} // seconds; 0: there is none
)

const (
	uploadConfig    = 0 // JSON
	uploadConfigTTL = 1 // seconds
	cdnExpire       = 3
)

// The first field of a client change.
const (
	changeLogin  byte = 2
	changeLogout byte = 3
)

// serve answers a message, and reports whether to keep the link open.
func (s *session) serve(ctx context.Context, b []byte) bool {
	p, err := s.framing.decode(b)
	if err != nil {
		return err == errNoPacket
	}
	if s.phase == leaving {
		return true
	}
	if s.phase == entered {
		s.timer.Reset(s.cloud.limits.idle)
	}
	switch p.command {
	case cmdHeartbeat:
		return s.beat(ctx, p)
	case cmdLoginV1:
		return s.login(ctx, p, familyV1)
	case cmdLoginV2:
		return s.login(ctx, p, familyV2)
	}
	if s.phase != entered {
		return s.answer(ctx, p, codeForbidden)
	}
	defer s.settle(p)
	switch p.command {
	case cmdLogoutV1, cmdLogoutV2:
		s.logout()
		s.leave()
		return s.answer(ctx, p, codeOK)
	case cmdKickOthersV1, cmdKickOthersV2:
		return s.kickOthers(ctx, p)
	case cmdSyncV1, cmdSyncV2, cmdServerTime:
		return s.answer(ctx, p, codeOK, time.Now().UnixMilli())
	case cmdUploadConfig:
		return s.answer(ctx, p, codeOK, noUploads)
	case cmdCDNHost:
		return s.answer(ctx, p, codeOK, noCDN)
	}
	return s.answer(ctx, p, codeUnknown)
}

// answer sends the result of p. packCode has to accept the code.
func (s *session) answer(ctx context.Context, p packet, code int, fields ...any) bool {
	return s.write(ctx, s.framing.encode(reply{p.command, p.serial, s.family.wire(code), fields}))
}

func (s *session) beat(ctx context.Context, p packet) bool {
	s.cloud.mu.Lock()
	s.heartbeats++
	mute := s.cloud.controls.muteHeartbeat
	s.cloud.mu.Unlock()
	return mute || s.answer(ctx, p, codeOK)
}

// settle notes whether p is the SDK's last question after a login.
func (s *session) settle(p packet) {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	s.settled = s.settled || p.command == s.family.last
}

// login logs the client in. A second login on the same link cuts it.
func (s *session) login(ctx context.Context, p packet, f *family) bool {
	tags, err := p.body.properties()
	if err != nil || s.phase != fresh {
		return false
	}
	s.cloud.mu.Lock()
	s.family = f
	s.cloud.mu.Unlock()
	code, mute := s.cloud.refusal(s.link, tags)
	if mute {
		return true
	}
	if code == codeOK {
		code = s.enter(ctx, tags)
	}
	if code != codeOK {
		return s.answer(ctx, p, code)
	}
	s.phase = entered
	s.timer.Reset(s.cloud.limits.idle)
	record, others := s.cloud.admit(s.link)
	return s.answer(ctx, p, codeOK, record, others)
}

// refusal records who wants to log in. It returns codeOK, or the code to refuse
// the login with, because a test asked for that or because of the way the
// device's last login ended. If mute is true, the login gets no answer.
func (c *Cloud) refusal(l *link, tags properties) (code int, mute bool) {
	clientType, _ := strconv.Atoi(tags[tagClientType])
	c.mu.Lock()
	defer c.mu.Unlock()
	l.accid = fold(tags[tagAccount])
	l.device = device{
		account: tags[tagAccount], appKey: tags[tagAppKey], id: tags[tagDeviceID],
		clientType: clientType, automatic: tags[tagManual] == "0",
		customTag: tags[tagCustomTag], os: tags[tagOS], since: time.Now(),
	}
	if c.down[l.accid] {
		l.cut()
		return 0, true
	}
	if c.controls.muteLogin {
		return 0, true
	}
	if c.controls.refusals > 0 {
		c.controls.refusals--
		return c.controls.refuse, false
	}
	key := deviceKey{l.accid, l.device.id}
	if code, ok := c.owed[key]; ok {
		delete(c.owed, key)
		return code, false
	}
	return codeOK, false
}

// enter makes a new device of the world and logs it in with the account that
// the client named.
func (s *session) enter(ctx context.Context, tags properties) int {
	sdk := s.cloud.world.Device()
	if err := sdk.InitIM(ctx, tags[tagAppKey]); err != nil {
		return codeOf(err)
	}
	account, code := s.cloud.accountOf(tags)
	if code != codeOK {
		return code
	}
	err := sdk.LoginIM(ctx, account, engine.Notify{Lost: s.loseLogin})
	if err != nil && !s.loginEnded() {
		return codeOf(err)
	}
	s.sdk = sdk // a login that has already ended is admitted first, and its end reported after
	return codeOK
}

func (s *session) loginEnded() bool {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	return s.ending
}

// admit marks l as logged in and tells the other clients of its account, unless
// the login has ended in the meantime. It returns the records of l and of the
// others.
func (c *Cloud) admit(l *link) (properties, []properties) {
	c.mu.Lock()
	defer c.mu.Unlock()
	peers := l.peersLocked()
	if l.loggedIn = !l.ending; l.loggedIn {
		l.notifyLocked(peers, changeLogin)
	}
	var records []properties
	for _, p := range peers {
		records = append(records, l.family.record(p))
	}
	return l.family.record(l), records
}

// peersLocked returns the other clients that are logged in to the account.
func (l *link) peersLocked() []*link {
	return l.cloud.findLocked(func(o *link) bool { return o != l && o.loggedIn && o.accid == l.accid })
}

// notifyLocked tells peers that l's client has logged in or out.
func (l *link) notifyLocked(peers []*link, change byte) {
	for _, p := range peers {
		p.push(p.family.clientChange, change, []properties{p.family.record(l)})
	}
}

// logout ends the login, if there is one.
func (s *session) logout() {
	if s.sdk == nil {
		return
	}
	_ = s.sdk.LogoutIM(context.Background()) // fails only after mockim's Fail
	s.sdk = nil
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	s.endLoginLocked()
}

// leave gives the client time to close the link. The SDKs close it at once.
func (s *session) leave() {
	s.phase = leaving
	s.timer.Reset(s.cloud.limits.leave)
}

// kickOthers ends the account's logins on the devices that the client names,
// and answers with the devices that it kicked.
func (s *session) kickOthers(ctx context.Context, p packet) bool {
	ids, err := p.body.strings()
	if err != nil {
		return false
	}
	s.cloud.mu.Lock()
	kick := &engine.KickError{Reason: engine.KickedByOther, ClientType: s.device.clientType}
	var kicked []string
	for _, o := range s.peersLocked() {
		if slices.Contains(ids, o.device.id) && o.loseLoginLocked(kick) {
			kicked = append(kicked, o.device.id)
		}
	}
	s.cloud.mu.Unlock()
	return s.answer(ctx, p, codeOK, kicked)
}

// reportEnd tells the client that its login has ended. It reports whether to
// keep the link open, for the client to close.
func (s *session) reportEnd(ctx context.Context, cause error) bool {
	s.logout()
	if !errors.Is(cause, engine.ErrKicked) {
		s.cloud.refuseNext(s.link, codeOf(cause))
		return false
	}
	kick := &engine.KickError{Reason: engine.KickedByServer}
	errors.As(cause, &kick)
	s.leave()
	const customClientType int32 = 0 // none
	return s.write(ctx, s.framing.encode(reply{command: s.family.kicked, code: codeOK,
		fields: []any{int32(kick.ClientType), int32(kick.Reason), kick.Text, customClientType}}))
}

// refuseNext refuses the next login of l's device with code, unless that is
// codeUnavailable, which a reconnect repairs.
func (c *Cloud) refuseNext(l *link, code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if code != codeUnavailable && len(c.owed) < c.limits.owed {
		c.owed[deviceKey{l.accid, l.device.id}] = code
	}
}
