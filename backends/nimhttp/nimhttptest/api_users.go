package nimhttptest

import (
	"cmp"

	"github.com/imreuse/imreuse/engine"
)

// The calls for kit accounts (docs/vendor/http.md#kit-accounts-of-neroom and
// the section after it). NERoom and the meeting kit share the accounts, and
// each is bound to the IM account with the same id.

const (
	codeNoSuchUser   = 404
	codeUserExists   = 409
	codeIMExists     = 703
	codeWrongIMToken = 704
)

// roomUser is a kit account in NERoom's requests and replies.
type roomUser struct {
	UserUUID  string `json:"user_uuid"`
	UserToken string `json:"user_token"`
	Name      string `json:"user_name"`
	Icon      string `json:"icon"`
	IMToken   string `json:"im_token"`
}

// meetingUser is a kit account in the meeting server's requests, which have no
// userToken, and replies, which have no imToken.
type meetingUser struct {
	UserUUID  string `json:"userUuid"`
	UserToken string `json:"userToken"`
	Name      string `json:"name"`
	Icon      string `json:"avatar"`
	IMToken   string `json:"imToken,omitempty"`
}

// A profile has the fields of a kit account that the world does not keep. Its
// copy of the IM token does not follow changes of the token.
type profile struct {
	accid, imToken string // imToken is accid's; "" for the current one
	name, icon     string
}

// profileOf returns the profile of a user who is bound to accid.
func (s *Server) profileOf(user, accid string) profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p profile
	if kept := s.profiles[user]; kept != nil {
		p = *kept
	}
	if p.accid != accid { // the test has bound the user to another account
		p.accid, p.imToken = accid, ""
	}
	return p
}

// keepProfile stores the fields of u that are not empty.
func (s *Server) keepProfile(accid string, u roomUser) {
	p := s.profileOf(u.UserUUID, accid)
	p.imToken, p.name, p.icon = cmp.Or(u.IMToken, p.imToken), cmp.Or(u.Name, p.name), cmp.Or(u.Icon, p.icon)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.profiles[u.UserUUID] = &p
}

func (s *Server) createRoomUser(c apiCall) (any, error) {
	u, err := c.readRoomUser()
	if err != nil {
		return nil, err
	}
	if u.UserUUID, err = c.fold("user_uuid", u.UserUUID); err != nil {
		return nil, err
	}
	return s.createUser(c.appKey, u)
}

func (c apiCall) readRoomUser() (roomUser, error) {
	var u roomUser
	if err := c.read(&u); err != nil {
		return u, err
	}
	return u, c.checkTexts(text{"user_token", u.UserToken, 64}, text{"user_name", u.Name, 64}, text{"icon", u.Icon, 1000}, text{"im_token", u.IMToken, 64})
}

func (s *Server) createMeetingUser(c apiCall) (any, error) {
	var u meetingUser
	if err := c.read(&u); err != nil {
		return nil, err
	}
	id, err := c.fold("userUuid", u.UserUUID)
	if err != nil {
		return nil, err
	}
	u.UserUUID, u.UserToken = id, ""
	if err := c.checkTexts(text{"name", u.Name, 64}, text{"avatar", u.Icon, 1000}, text{"imToken", u.IMToken, 64}); err != nil {
		return nil, err
	}
	made, err := s.createUser(c.appKey, roomUser(u))
	if err != nil {
		return nil, err
	}
	return meetingUserOf(made), nil
}

func meetingUserOf(u roomUser) meetingUser {
	u.IMToken = ""
	return meetingUser(u)
}

// createUser makes a kit account and binds it to the IM account with the same
// id. If u has no IM token, it makes the IM account too. It returns the account
// with its tokens.
func (s *Server) createUser(appKey string, u roomUser) (roomUser, error) {
	if _, _, exists := s.world.FindKit(u.UserUUID); exists {
		return u, refuseCall(codeUserExists, "user already exists")
	}
	if u.IMToken != "" {
		if err := s.checkIMToken(u.UserUUID, u.IMToken); err != nil {
			return u, err
		}
	} else {
		if _, exists := s.world.FindIM(u.UserUUID); exists {
			return u, refuseCall(codeIMExists, "IM account already exists: send its token to bind it")
		}
		u.IMToken = newID()
		s.world.AddIM(engine.IMAccount{AppKey: appKey, Accid: u.UserUUID, Token: u.IMToken})
	}
	u.UserToken = cmp.Or(u.UserToken, newID())
	s.world.Bind(engine.KitAccount{UserUUID: u.UserUUID, Token: u.UserToken}, u.UserUUID)
	s.keepProfile(u.UserUUID, u)
	return u, nil
}

// checkIMToken refuses a token that is not accid's current one.
func (s *Server) checkIMToken(accid, token string) error {
	im, found := s.world.FindIM(accid)
	switch {
	case !found:
		return refuse(codeUnknownIMAccount)
	case !equal(token, im.Token):
		return refuseCall(codeWrongIMToken, "IM token is not correct")
	}
	return nil
}

// updateUser changes the fields that the request sets.
func (s *Server) updateUser(c apiCall) (any, error) {
	u, err := c.readRoomUser()
	if err != nil {
		return nil, err
	}
	_, accid, found := s.world.FindKit(c.id)
	if !found {
		return nil, refuseUnknownUser()
	}
	if u.IMToken != "" {
		if err := s.checkIMToken(accid, u.IMToken); err != nil {
			return nil, err
		}
	}
	if u.UserToken != "" {
		s.world.Bind(engine.KitAccount{UserUUID: c.id, Token: u.UserToken}, accid)
	}
	u.UserUUID = c.id
	s.keepProfile(accid, u)
	return nil, nil
}

func refuseUnknownUser() *refusal { return refuseCall(codeNoSuchUser, "user does not exist") }

// findUser returns the account with its tokens.
func (s *Server) findUser(id string) (roomUser, bool) {
	k, accid, found := s.world.FindKit(id)
	if !found {
		return roomUser{}, false
	}
	im, _ := s.world.FindIM(accid)
	p := s.profileOf(id, accid)
	return roomUser{k.UserUUID, k.Token, p.name, p.icon, cmp.Or(p.imToken, im.Token)}, true
}

// findUsers returns the named accounts that exist.
func (s *Server) findUsers(c apiCall, field string) ([]roomUser, error) {
	ids, err := c.ids(field)
	if err != nil {
		return nil, err
	}
	users := []roomUser{}
	for _, id := range ids {
		if u, found := s.findUser(id); found {
			users = append(users, u)
		}
	}
	return users, nil
}

func (s *Server) showRoomUser(c apiCall) (any, error) {
	u, found := s.findUser(c.id)
	if !found {
		return nil, refuseUnknownUser()
	}
	return u, nil
}

func (s *Server) listRoomUsers(c apiCall) (any, error) { return s.findUsers(c, "user_uuids") }

func (s *Server) listMeetingUsers(c apiCall) (any, error) {
	users, err := s.findUsers(c, "userUuids")
	if err != nil {
		return nil, err
	}
	shown := []meetingUser{}
	for _, u := range users {
		shown = append(shown, meetingUserOf(u))
	}
	return shown, nil
}
