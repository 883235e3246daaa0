package nimcloud

import (
	"context"
	"encoding/binary"
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

// Tags of the login packet, and of the records that describe a client.
const (
	tagClientType = 3
	tagOS         = 4
	tagManual     = 8 // "0": the SDK reconnected by itself
	tagDeviceID   = 13
	tagAppKey     = 18
	tagAccount    = 19
	tagCustomTag  = 38
	tagAuthType   = 115
	tagToken      = 1000

	recordDeviceID   = 1
	recordLink       = 2
	recordHost       = 3
	recordPort       = 4
	recordClientType = 5
	recordSince      = 7
	recordCustomTag  = 8
	recordOS         = 9
	recordLoginType  = 12
)

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

// The first byte of a cmdClientChange.
const (
	changeLogin  = 2
	changeLogout = 3
)

// serve answers a packet, and reports whether to keep the link open.
func (s *session) serve(ctx context.Context, b []byte) bool {
	p, err := decode(b)
	if err != nil {
		return false
	}
	if s.phase == leaving {
		return true
	}
	if s.phase == entered {
		s.timer.Reset(s.cloud.limits.idle)
	}
	switch {
	case p.command == cmdHeartbeat:
		return s.beat(ctx, p)
	case p.command == cmdLogin:
		return s.login(ctx, p)
	case s.phase != entered:
		return s.answer(ctx, p, codeForbidden, nil)
	case p.command == cmdLogout:
		s.logout()
		s.leave()
		return s.answer(ctx, p, codeOK, nil)
	case p.command == cmdKickOthers:
		return s.kickOthers(ctx, p)
	case p.command == cmdSync, p.command == cmdServerTime:
		now := binary.LittleEndian.AppendUint64(nil, uint64(time.Now().UnixMilli()))
		return s.answer(ctx, p, codeOK, now)
	case p.command == cmdUploadConfig:
		return s.answer(ctx, p, codeOK, appendProperties(nil, noUploads))
	case p.command == cmdCDNHost:
		return s.settle(ctx, p)
	}
	return s.answer(ctx, p, codeUnknown, nil)
}

// answer sends the result of p. packCode has to accept the code.
func (s *session) answer(ctx context.Context, p packet, code int, body []byte) bool {
	packed, _ := packCode(code)
	return s.write(ctx, encode(p.command, p.serial, packed, body))
}

func (s *session) beat(ctx context.Context, p packet) bool {
	s.cloud.mu.Lock()
	s.heartbeats++
	mute := s.cloud.controls.muteHeartbeat
	s.cloud.mu.Unlock()
	return mute || s.answer(ctx, p, codeOK, nil)
}

// settle answers the SDK's last question after a login.
func (s *session) settle(ctx context.Context, p packet) bool {
	ok := s.answer(ctx, p, codeOK, appendProperties(nil, noCDN))
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	s.settled = true
	return ok
}

// login logs the client in. A second login on the same link cuts it.
func (s *session) login(ctx context.Context, p packet) bool {
	tags := p.body.properties()
	if p.body.err != nil || s.phase != fresh {
		return false
	}
	code, mute := s.cloud.refusal(s.link, tags)
	if mute {
		return true
	}
	if code == codeOK {
		code = s.enter(ctx, tags)
	}
	if code != codeOK {
		return s.answer(ctx, p, code, nil)
	}
	s.phase = entered
	s.timer.Reset(s.cloud.limits.idle)
	record, others := s.cloud.admit(s.link)
	return s.answer(ctx, p, codeOK, appendPropertiesList(appendProperties(nil, record), others))
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
	record, peers := l.recordLocked(), l.peersLocked()
	if l.loggedIn = !l.ending; l.loggedIn {
		notify(peers, changeLogin, record)
	}
	var records []properties
	for _, p := range peers {
		records = append(records, p.recordLocked())
	}
	return record, records
}

// peersLocked returns the other clients that are logged in to the account.
func (l *link) peersLocked() []*link {
	return l.cloud.findLocked(func(o *link) bool { return o != l && o.loggedIn && o.accid == l.accid })
}

func (l *link) recordLocked() properties {
	return properties{
		recordDeviceID:   l.device.id,
		recordLink:       strconv.FormatUint(l.id, 10),
		recordHost:       l.host,
		recordPort:       l.port,
		recordClientType: strconv.Itoa(l.device.clientType),
		recordSince:      strconv.FormatInt(l.device.since.UnixMilli(), 10),
		recordCustomTag:  l.device.customTag,
		recordOS:         l.device.os,
		recordLoginType:  "1", // IM; the SDKs sync only with this type
	}
}

func notify(peers []*link, change byte, record properties) {
	for _, p := range peers {
		p.push(cmdClientChange, appendPropertiesList([]byte{change}, []properties{record}))
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
	ids := p.body.strings()
	if p.body.err != nil {
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
	return s.answer(ctx, p, codeOK, appendStrings(nil, kicked))
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
	body := appendInt(appendInt(nil, kick.ClientType), int(kick.Reason))
	body = appendInt(appendString(body, kick.Text), 0) // custom client type
	return s.write(ctx, encode(cmdKicked, 0, codeOK, body))
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
