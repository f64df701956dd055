package console_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/console/contract"
)

var metricName = regexp.MustCompile(`\b(?:coffer_server|go|process)_[a-z0-9_]+`)

// metrics are the names of what a core measures that has done everything once,
// with their types.
func metrics(t *testing.T) map[string]string {
	t.Helper()
	s := startSite(t, nil)
	s.person("alice").put("a", []byte("a"))
	s.must(202, "POST", "/api/scrub", map[string]any{})
	for end := time.Now().Add(patience); get[contract.Scrub](s, "/api/scrub").Report == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the scrub does not end")
		}
	}
	got := s.do(s.request("GET", "/metrics", nil))
	types := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(string(got.body), -1) {
		types[m[1]] = m[2]
	}
	if strings.Contains(string(got.body), "alice") {
		t.Error("metrics name a client")
	}
	return types
}

func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, real []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(coffer_server_[a-z_]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1]+" "+m[2])
	}
	for name, kind := range metrics(t) {
		if strings.HasPrefix(name, "coffer_") {
			real = append(real, name+" "+kind)
		}
	}
	slices.Sort(documented)
	slices.Sort(real)
	if len(real) == 0 || !slices.Equal(documented, real) {
		t.Errorf("docs/operations.md has\n\t%s\nand there are\n\t%s", strings.Join(documented, "\n\t"), strings.Join(real, "\n\t"))
	}
}

// Alerts and the dashboard ask for metrics that there are.
func TestMetricsAreThere(t *testing.T) {
	real := metrics(t)
	check := func(where, query string) {
		names := metricName.FindAllString(query, -1)
		if len(names) == 0 && !strings.HasPrefix(query, "up{") {
			t.Errorf("%s asks for no metric: %s", where, query)
		}
		for _, name := range names {
			if _, plain := real[name]; plain {
				continue
			}
			if family, bucket := strings.CutSuffix(name, "_bucket"); !bucket || real[family] != "histogram" {
				t.Errorf("%s: there is no %s", where, name)
			}
		}
	}
	alerts, err := os.ReadFile("../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	expressions := regexp.MustCompile(`(?s)\n +expr: (.*?)\n +(?:for|labels): `).FindAllStringSubmatch(string(alerts), -1)
	if len(expressions) != strings.Count(string(alerts), "- alert: ") || len(expressions) == 0 {
		t.Errorf("%d alerts", len(expressions))
	}
	for _, m := range expressions {
		check("alerts.yml", m[1])
	}

	text, err := os.ReadFile("../deploy/grafana/coffer.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			check("coffer.json, "+panel.Title, target.Expr)
			queries++
		}
	}
	if queries < 20 {
		t.Errorf("the dashboard asks %d questions", queries)
	}
	for _, m := range regexp.MustCompile(`label_values\((\w+)`).FindAllStringSubmatch(string(text), -1) {
		check("coffer.json", m[1])
	}
}
