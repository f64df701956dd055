package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPlace(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"folder", "folder/sub"} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "folder", "filelink": "file", "dangling": "nowhere"} {
		if err := os.Symlink(to, name); err != nil {
			t.Skip("no links: ", err)
		}
	}
	for _, test := range []struct {
		path          string
		force, folder bool
		want          error
		says          string
	}{
		{"new", false, false, nil, ""},
		{"new", false, true, nil, ""},
		{"new/", false, true, nil, ""},
		{"new/", false, false, ErrPlace, "slash"},
		{"file", false, false, ErrExists, ""},
		{"file", true, false, nil, ""},
		{"file", true, true, ErrPlace, "not a folder"},
		{"file", false, true, ErrPlace, "not a folder"},
		{"folder", false, true, ErrFolderExists, "not empty"},
		{"folder", false, true, ErrExists, ""},
		{"folder", false, false, ErrPlace, "is a folder, but the backup is a file"},
		{"folder/sub", false, true, nil, ""},
		{"folder/sub/.", false, true, nil, ""},
		{"folder/sub", false, false, ErrPlace, "is a folder, but the backup is a file"},
		{"folder", true, true, nil, ""},
		{"folder/", true, true, nil, ""},
		{"folder", true, false, ErrPlace, "is a folder, but the backup is a file"},
		{"folder/", true, false, ErrPlace, "is a folder, but the backup is a file"},
		{".", true, false, ErrPlace, "name a new file or folder in it, such as restored"},
		{".", true, true, ErrPlace, "name a new file or folder in it"},
		{"./", false, true, ErrPlace, "name a new file or folder in it"},
		{"folder/.", true, true, ErrPlace, "name a new file or folder in it"},
		{"folder/sub/..", true, true, ErrPlace, "name a new file or folder in it"},
		{"/", true, true, ErrPlace, "name a new file or folder in it"},
		{filepath.Join(dir, "folder"), false, true, ErrExists, ""},
		{"link/", true, true, ErrPlace, "is a link"},
		{"link/", false, false, ErrPlace, "is a link"},
		{"link", false, true, ErrExists, ""},
		{"link", true, true, nil, ""},
		{"filelink", true, false, nil, ""},
		{"dangling", false, false, ErrExists, ""},
	} {
		err := checkPlace(RestoreOptions{Path: test.path, Force: test.force}, test.folder)
		if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q, force %v, folder %v: %v", test.path, test.force, test.folder, err)
		}
	}
}
