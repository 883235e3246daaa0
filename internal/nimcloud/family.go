package nimcloud

import (
	"strconv"

	"github.com/imreuse/imreuse/internal/nimcodes"
)

// A family is one of the two sets of commands, tags and codes with which an SDK
// logs in. The login packet decides which one a link speaks. Both log in to the
// same accounts, and clients of one account see each other whatever they speak.
type family struct {
	kicked       command // sent unasked
	clientChange command // likewise
	last         command // the SDK's last question after a login
	record       func(l *link) properties
	code         func(number int) int // the family's own number for one of 10.x
}

// The V2 API of 10.x.
const (
	cmdLoginV2      command = 26<<8 | 3
	cmdLogoutV2     command = 26<<8 | 5
	cmdKickOthersV2 command = 26<<8 | 8
	cmdSyncV2       command = 27<<8 | 1
)

var familyV2 = &family{
	kicked:       26<<8 | 9,
	clientChange: 26<<8 | 10,
	last:         cmdCDNHost,
	record:       (*link).recordV2Locked,
	code:         func(number int) int { return number },
}

// The API of 9.x.
const (
	cmdLoginV1      command = 2<<8 | 3
	cmdLogoutV1     command = 2<<8 | 6
	cmdKickOthersV1 command = 2<<8 | 8
	cmdSyncV1       command = 5<<8 | 1
)

var familyV1 = &family{
	kicked:       2<<8 | 5,
	clientChange: 2<<8 | 7,
	last:         cmdSyncV1,
	record:       (*link).recordV1Locked,
	code:         nimcodes.V1,
}

// Tags of the login packet, the same in both families.
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
)

// recordV2Locked describes a client.
func (l *link) recordV2Locked() properties {
	const (
		deviceID   = 1
		linkID     = 2
		host       = 3
		port       = 4
		clientType = 5
		since      = 7
		customTag  = 8
		os         = 9
		loginType  = 12
	)
	return properties{
		deviceID:   l.device.id,
		linkID:     strconv.FormatUint(l.id, 10),
		host:       l.host,
		port:       l.port,
		clientType: strconv.Itoa(l.device.clientType),
		since:      strconv.FormatInt(l.device.since.UnixMilli(), 10),
		customTag:  l.device.customTag,
		os:         l.device.os,
		loginType:  "1", // IM; the SDKs sync only with this type
	}
}

// recordV1Locked describes a client in the older tags.
func (l *link) recordV1Locked() properties {
	const (
		linkID = 102
		host   = 103
		port   = 104
		since  = 109
	)
	return properties{
		tagClientType: strconv.Itoa(l.device.clientType),
		tagOS:         l.device.os,
		tagDeviceID:   l.device.id,
		tagAccount:    l.device.account,
		tagCustomTag:  l.device.customTag,
		linkID:        strconv.FormatUint(l.id, 10),
		host:          l.host,
		port:          l.port,
		since:         strconv.FormatInt(l.device.since.UnixMilli(), 10),
	}
}
