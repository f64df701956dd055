//go:build !linux

package fileattr

import "os"

// Attributes are the extended attributes of an open file or folder, which are
// not read here.
func Attributes(*os.File) ([]Attribute, error) { return nil, nil }

// AttributesAt are those of what a name in dir stands for.
func AttributesAt(*os.Root, string) ([]Attribute, error) { return nil, nil }

// SetAttributeAt sets none here.
func SetAttributeAt(*os.Root, string, Attribute) error { return ErrUnsupported }

// RemoveAttributeAt removes none here.
func RemoveAttributeAt(*os.Root, string, string) error { return ErrUnsupported }
