package nimcloud

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// controls are what a test has switched.
type controls struct {
	lbs, link     int // the HTTP status that they fail with; 0: they work
	muteHeartbeat bool
	muteLogin     bool
	refuse        int // the code
	refusals      int // logins still to be refused with it
}

func (c *Cloud) switches() controls {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.controls
}

func (c *Cloud) set(change func(*controls)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.controls)
}

// Drop cuts the links on which accid is logged in, as a network does: without
// a word. They are closed, and their logins in the world over, when it returns.
// The SDKs come back by themselves.
func (c *Cloud) Drop(accid string) {
	accid = fold(accid)
	cutAll(c.find(func(l *link) bool { return l.in && l.accid == accid }))
}

// Link takes the links of accid down, as Drop does, or lets them come back. While
// they are down, a login of that account has its link cut in place of an answer,
// and its SDKs keep trying.
func (c *Cloud) Link(accid string, online bool) {
	accid = fold(accid)
	c.mu.Lock()
	var links []*link
	if online {
		delete(c.down, accid)
	} else {
		c.down[accid] = true
		links = c.findLocked(func(l *link) bool { return l.accid == accid }) // also those about to be logged in
	}
	c.mu.Unlock()
	cutAll(links)
}

// cutAll cuts links and waits until they have ended.
func cutAll(links []*link) {
	for _, l := range links {
		l.cut()
	}
	for _, l := range links {
		<-l.done
	}
}

// Refuse lets the next so many logins, of whatever account, fail with a code of
// the vendor's, such as 417 or 102404. It takes the place of an earlier Refuse;
// times 0 ends it. It panics where times is negative, or the code is 200 or one
// that the link cannot carry.
func (c *Cloud) Refuse(code, times int) {
	if _, ok := packCode(code); !ok || code == codeOK {
		panic(fmt.Sprintf("nimcloud: a login cannot be refused with code %d", code))
	}
	if times < 0 {
		panic(fmt.Sprintf("nimcloud: Refuse %d times", times))
	}
	c.set(func(s *controls) { s.refuse, s.refusals = code, times })
}

// MuteHeartbeat leaves heartbeats unanswered, or answers them again. The SDKs
// hold a link that is mute for dead after 53 s.
func (c *Cloud) MuteHeartbeat(mute bool) { c.set(func(s *controls) { s.muteHeartbeat = mute }) }

// MuteLogin leaves logins unanswered, as if they had not come, or answers them
// again.
func (c *Cloud) MuteLogin(mute bool) { c.set(func(s *controls) { s.muteLogin = mute }) }

// FailLBS lets the address service answer with that HTTP status; 0 or 200 ends
// it. An SDK that was given a link address uses that instead. It panics where
// status is no failure.
func (c *Cloud) FailLBS(status int) {
	status = failure(status)
	c.set(func(s *controls) { s.lbs = status })
}

// FailLink lets new links be refused with that HTTP status; 0 or 200 ends it.
// Those that are open stay: see Drop. It panics where status is no failure.
func (c *Cloud) FailLink(status int) {
	status = failure(status)
	c.set(func(s *controls) { s.link = status })
}

func failure(status int) int {
	switch {
	case status == 0 || status == 200:
		return 0
	case status < 300 || status > 599:
		panic(fmt.Sprintf("nimcloud: HTTP status %d is no failure", status))
	}
	return status
}

// A Client is a link that is open.
type Client struct {
	Accid      string // who is logged in on it, in lower case; "": nobody, or not any more
	Account    string // what the last login on it asked for, as it was sent; "": none has
	AppKey     string
	DeviceID   string // of the SDK instance; the Node build has a new one in each process
	Type       int    // in the vendor's numbers: 16 is Web, which the Node build is too
	Automatic  bool   // the SDK has come back by itself
	Heartbeats int    // that have come, answered or not
	Settled    bool   // the SDK has asked all that it asks after a login
}

// Clients are the links that are open, the oldest first, also those on which
// nobody has logged in.
func (c *Cloud) Clients() []Client {
	links := c.find(func(*link) bool { return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	clients := make([]Client, len(links))
	for i, l := range links {
		clients[i] = Client{
			Account: l.device.account, AppKey: l.device.appKey, DeviceID: l.device.id,
			Type: l.device.clientType, Automatic: l.device.automatic, Heartbeats: l.heartbeats, Settled: l.settled,
		}
		if l.in {
			clients[i].Accid = l.accid
		}
	}
	return clients
}

// find returns the links that match, the oldest first.
func (c *Cloud) find(match func(*link) bool) []*link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.findLocked(match)
}

func (c *Cloud) findLocked(match func(*link) bool) []*link {
	var found []*link
	for l := range c.links {
		if match(l) {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b *link) int { return cmp.Compare(a.id, b.id) })
	return found
}

func fold(id string) string { return strings.ToLower(id) }
