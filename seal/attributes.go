package seal

import "strings"

// Kinds of what no archive keeps, in a person's words.
const (
	lostLists        = "access control lists"
	lostCapabilities = "file capabilities"
	lostLabels       = "security labels"
	lostAttributes   = "extended attributes"
	lostHoles        = "the holes of sparse files: they are stored as zeros, and restoring makes holes of zeros again"
)

// lostKind is what an extended attribute of a name stands for.
func lostKind(attribute string) string {
	switch {
	case strings.HasPrefix(attribute, "system.posix_acl_"), strings.HasPrefix(attribute, "system.nfs4_acl"),
		strings.HasPrefix(attribute, "system.richacl"):
		return lostLists
	case attribute == "security.capability":
		return lostCapabilities
	case strings.HasPrefix(attribute, "security."):
		return lostLabels
	default:
		return lostAttributes
	}
}
