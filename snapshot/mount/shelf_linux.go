//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A version is what its folder is found by.
type version struct {
	name   string
	number uint32
}

// path is where the version is, below the folder that is mounted.
func (v version) path() string {
	return fileName(v.name) + "/" + strconv.FormatUint(uint64(v.number), 10)
}

// A shelf is what the upper two levels of folders show: the versions of each
// name, the newest first.
type shelf map[string][]Version // by what their folders are called

// fresh is how long a list of versions is believed.
const fresh = 10 * time.Second

// shelf is what there is. A list that is out of date is better than none.
func (t *tree) shelf() (shelf, error) {
	t.listing.Lock()
	defer t.listing.Unlock()
	if t.shelved != nil && t.now().Sub(t.listed) < fresh {
		return t.shelved, nil
	}
	found := shelf{}
	err := t.lib.Versions(t.ctx, func(v Version) error {
		name := fileName(v.Name)
		found[name] = append(found[name], v)
		return nil
	})
	if err != nil && t.shelved != nil {
		t.fail(".", err)
		return t.shelved, nil
	}
	if err != nil {
		return nil, err
	}
	for _, list := range found {
		slices.SortFunc(list, func(a, b Version) int { return cmp.Compare(b.Number, a.Number) })
	}
	t.shelved, t.listed = found, t.now()
	return found, nil
}

// escapes keep names apart, and out of other folders.
var escapes = strings.NewReplacer("%", "%25", "/", "%2F", "\x00", "%00")

// fileName is what the folder of a name is called: names may have slashes.
func fileName(name string) string {
	switch name {
	case ".":
		return "%2E"
	case "..":
		return "%2E."
	}
	return escapes.Replace(name)
}

func (s shelf) names() []string { return slices.Sorted(maps.Keys(s)) }

// latest is the link to the newest version.
const latest = "latest"

// timeForm is how links are called that lead to versions by their time.
const timeForm = "2006-01-02T150405"

// forms are how a time can be written, and how long the time is that it means.
var forms = []struct {
	layout string
	unit   time.Duration // 0: a day
}{{time.DateOnly, 0}, {"2006-01-02T1504", time.Minute}, {"2006-01-02T15:04", time.Minute}, {timeForm, time.Second}, {"2006-01-02T15:04:05", time.Second}}

var errNoTime = errors.New("no time")

// end is the last moment of what a text means.
func end(text string) (time.Time, error) {
	for _, form := range forms {
		at, err := time.ParseInLocation(form.layout, text, time.Local)
		if err != nil {
			continue
		}
		if form.unit == 0 {
			return at.AddDate(0, 0, 1).Add(-time.Nanosecond), nil
		}
		return at.Add(form.unit - time.Nanosecond), nil
	}
	return time.Time{}, errNoTime
}

// number is the version of a name that a link leads to: the newest of its time,
// 0 if there is none.
func (s shelf) number(name, link string) uint32 {
	list := s[name]
	if len(list) == 0 {
		return 0
	}
	if link == latest {
		return list[0].Number
	}
	until, err := end(link)
	if err != nil {
		return 0
	}
	for _, v := range list {
		if !v.Time.After(until) {
			return v.Number
		}
	}
	return 0
}

// version is the one that a folder's name says, nil if there is none.
func (s shelf) version(name, number string) *Version {
	for i, v := range s[name] {
		if strconv.FormatUint(uint64(v.Number), 10) == number {
			return &s[name][i]
		}
	}
	return nil
}
