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

// A session is what the serving goroutine of a link knows.
type session struct {
	*link
	sdk *mockim.Device // of the login; nil: nobody has logged in
}

// Tags of the login packet, and of the records that describe a client.
const (
	tagClientType = 3
	tagOS         = 4
	tagManual     = 8 // "0": the SDK has come back by itself
	tagDeviceID   = 13
	tagAppKey     = 18
	tagAccount    = 19
	tagCustomTag  = 38
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

// The SDK asks for these right after each login, for its file uploads, which
// this cloud does not have: no store but the default one, and no CDN.
var (
	noUploads = properties{uploadConfig: "{}", uploadConfigTTL: "86400"}
	noCDN     = properties{cdnExpire: "0"} // seconds; 0: there is none
)

const (
	uploadConfig    = 0 // JSON
	uploadConfigTTL = 1 // seconds
	cdnExpire       = 3
)

// What a clientChange is about.
const (
	changeLogin  = 2
	changeLogout = 3
)

// serve answers a packet, and reports whether the link goes on.
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

// answer sends the result of p. The code is one that packCode takes.
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

// settle answers the last question that the SDK asks after a login.
func (s *session) settle(ctx context.Context, p packet) bool {
	ok := s.answer(ctx, p, codeOK, appendProperties(nil, noCDN))
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	s.settled = true
	return ok
}

// login logs the client in. A link that has had a login takes no second one.
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

// refusal notes who wants to log in, and says whether anything speaks against
// it, other than the world.
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

// enter logs a device of the world in, as the client asks.
func (s *session) enter(ctx context.Context, tags properties) int {
	account := engine.IMAccount{AppKey: tags[tagAppKey], Accid: tags[tagAccount], Token: tags[tagToken]}
	sdk := s.cloud.world.Device()
	if err := sdk.InitIM(ctx, account.AppKey); err != nil {
		return codeOf(err)
	}
	err := sdk.LoginIM(ctx, account, engine.Notify{Lost: func(cause error) { s.lost(cause) }})
	if err != nil && !s.isOver() {
		return codeOf(err)
	}
	s.sdk = sdk // one that has ended already is admitted, and then told so
	return codeOK
}

func (s *session) isOver() bool {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	return s.over
}

// admit lets l count as logged in, and tells the others of its account, unless
// it has ended meanwhile. It returns its record and theirs.
func (c *Cloud) admit(l *link) (properties, []properties) {
	c.mu.Lock()
	defer c.mu.Unlock()
	record, peers := l.recordLocked(), l.peersLocked()
	if l.in = !l.over; l.in {
		notify(peers, changeLogin, record)
	}
	var records []properties
	for _, p := range peers {
		records = append(records, p.recordLocked())
	}
	return record, records
}

// peersLocked are the other clients of the account that are logged in.
func (l *link) peersLocked() []*link {
	return l.cloud.findLocked(func(o *link) bool { return o != l && o.in && o.accid == l.accid })
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
		recordLoginType:  "1", // IM: without it the SDKs do not sync
	}
}

func notify(peers []*link, change byte, record properties) {
	for _, p := range peers {
		p.push(cmdClientChange, appendPropertiesList([]byte{change}, []properties{record}))
	}
}

// logout ends the login, where there is one.
func (s *session) logout() {
	if s.sdk == nil {
		return
	}
	_ = s.sdk.LogoutIM(context.Background()) // it cannot fail: nothing was told to
	s.sdk = nil
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	s.endLocked()
}

// leave gives the client time to close the link. The SDKs do so at once.
func (s *session) leave() {
	s.phase = leaving
	s.timer.Reset(s.cloud.limits.leave)
}

// kickOthers ends the logins of the devices that the client names, of its own
// account, and answers with those that there were.
func (s *session) kickOthers(ctx context.Context, p packet) bool {
	ids := p.body.strings()
	if p.body.err != nil {
		return false
	}
	s.cloud.mu.Lock()
	kick := &engine.KickError{Reason: engine.KickedByOther, ClientType: s.device.clientType}
	var gone []string
	for _, o := range s.peersLocked() {
		if slices.Contains(ids, o.device.id) && o.lostLocked(kick) {
			gone = append(gone, o.device.id)
		}
	}
	s.cloud.mu.Unlock()
	return s.answer(ctx, p, codeOK, appendStrings(nil, gone))
}

// end tells the client that its login has ended, and reports whether the link
// goes on: until the client closes it.
func (s *session) end(ctx context.Context, cause error) bool {
	s.logout()
	if !errors.Is(cause, engine.ErrKicked) {
		s.cloud.owe(s.link, codeOf(cause))
		return false
	}
	kick := &engine.KickError{Reason: engine.KickedByServer}
	errors.As(cause, &kick)
	s.leave()
	body := appendInt(appendInt(nil, kick.ClientType), int(kick.Reason))
	body = appendInt(appendString(body, kick.Text), 0) // its custom client type
	return s.write(ctx, encode(cmdKicked, 0, codeOK, body))
}

// owe lets the next login of that device be refused, where code is more than
// bad luck.
func (c *Cloud) owe(l *link, code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if code != codeUnavailable && len(c.owed) < c.limits.owed {
		c.owed[deviceKey{l.accid, l.device.id}] = code
	}
}
