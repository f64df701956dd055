package top

import (
	"fmt"
	"math"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/dustin/go-humanize"

	"coffer/console/contract"
	"coffer/internal/program"
)

// mostTransfers is how many transfers are shown; the rest is counted.
const mostTransfers = 6

// text is what is shown: header, figures, transfers, activity, as far as there
// is room. Figures that are not live are faint, and the header says so.
func (m model) text() string {
	lines := []string{m.header(), ""}
	if m.seen {
		lines = append(lines, m.figures()...)
		lines = append(lines, m.transfers()...)
		lines = append(lines, m.activity(m.room(len(lines)))...)
	}
	for i, line := range lines {
		if i > 0 && !m.away.IsZero() {
			line = m.paint(ansi.Strip(line), lipgloss.NewStyle().Faint(true))
		}
		if m.width > 0 {
			line = ansi.Truncate(line, m.width, "…")
		}
		lines[i] = line
	}
	if !m.plain {
		for m.height > 0 && len(lines) < m.height-1 {
			lines = append(lines, "")
		}
		lines = append(lines, m.paint("q quits", lipgloss.NewStyle().Faint(true)))
		return strings.Join(lines, "\n")
	}
	return strings.Join(lines, "\n") + "\n"
}

// room is how many lines are left for activity.
func (m model) room(used int) int {
	if m.plain {
		return 20
	}
	return max(0, m.height-used-3) // a blank line, the heading, the last line
}

func (m model) paint(text string, style lipgloss.Style) string {
	if m.plain {
		return text
	}
	return style.Inline(true).Render(text)
}

var (
	good = lipgloss.NewStyle().Foreground(lipgloss.Green)
	bad  = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
	warn = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	bold = lipgloss.NewStyle().Bold(true)
)

func (m model) header() string {
	title := m.paint("Coffer", bold)
	if m.seen {
		title += " " + program.Printable(m.Stats.Version) + ", " + m.Stats.Listen
	}
	switch {
	case !m.away.IsZero() && m.seen:
		return title + "  " + m.paint(fmt.Sprintf("no answer since %s (%s): %s", m.away.Local().Format(time.TimeOnly),
			m.now.Sub(m.away).Truncate(time.Second), program.Printable(m.trouble)), bad)
	case !m.away.IsZero():
		return title + "  " + m.paint("no answer from "+m.url+": "+program.Printable(m.trouble), bad)
	case !m.seen:
		return title + "  asking " + m.url
	case m.Stats.Closing:
		return title + "  " + m.paint("stopping", warn)
	}
	return title + "  " + m.paint("live", good) + " " + m.Stats.At.Local().Format(time.TimeOnly) + ", up " + age(time.Duration(m.Stats.UptimeSeconds*float64(time.Second)))
}

func (m model) figures() []string {
	s := m.Stats
	stored := fmt.Sprintf("%s in %s of %s", size(s.Bytes), count(s.Versions, "version", "versions"), count(s.Files, "file", "files"))
	if s.Versions > 0 {
		stored += fmt.Sprintf(", %.4g %% verified", math.Floor(1000*float64(s.Verified)/float64(s.Versions))/10)
	}
	clients := fmt.Sprintf("%s registered, %d in session, %s open", humanize.Comma(s.Clients), s.Sessions, count(int64(s.Connections), "connection", "connections"))
	if s.Suspended > 0 {
		clients += fmt.Sprintf(", %d suspended", s.Suspended)
	}
	if !s.RegistrationOpen {
		clients += ", registration closed"
	}
	requests := fmt.Sprintf("%.0f/s, %s in all, ", s.RequestRate, humanize.Comma(s.Requests))
	failed := humanize.Comma(s.Failures) + " failed"
	if s.FailureRate > 0 {
		failed = m.paint(failed+fmt.Sprintf(" (%.1f/s)", s.FailureRate), warn)
	}
	lines := []string{
		label("State") + "database " + m.state(s.Database) + ", storage " + m.state(s.Storage) + ", " + size(s.DiskFree) + " of " + size(s.DiskTotal) + " free",
		label("Clients") + clients,
		label("Stored") + stored,
		label("Throughput") + fmt.Sprintf("in %s/s, out %s/s; since the start in %s, out %s", size(int64(s.ReceiveRate)), size(int64(s.SendRate)), size(s.BytesReceived), size(s.BytesSent)),
	}
	if len(m.rates) > 0 {
		lines = append(lines, label("")+sparkline(m.rates))
	}
	return append(lines,
		label("Requests")+requests+failed,
		label("Check")+m.scrub(s.Scrub))
}

func label(text string) string { return fmt.Sprintf("%-12s", text) }

func (m model) state(s contract.State) string {
	if s == contract.StateOperational {
		return m.paint(string(s), good)
	}
	return m.paint(string(s), bad)
}

func (m model) scrub(s contract.ScrubState) string {
	switch {
	case s.Running:
		text := fmt.Sprintf("reading back: %s of %s, %s/s", size(s.DoneBytes), size(s.TotalBytes), size(int64(s.Rate)))
		if s.Findings > 0 {
			text += ", " + m.paint(count(int64(s.Findings), "finding", "findings"), bad)
		}
		return text
	case s.Next == nil:
		return "no integrity check is due by itself"
	}
	return "the next integrity check " + s.Next.Local().Format("on 2 January at 15:04")
}

func (m model) transfers() []string {
	if len(m.Transfers) == 0 {
		return nil
	}
	lines := []string{"", m.paint(fmt.Sprintf("Transfers: %d", len(m.Transfers)), bold)}
	for _, t := range m.Transfers[:min(len(m.Transfers), mostTransfers)] {
		lines = append(lines, "  "+transfer(t)+m.likeness(&t.Client))
	}
	if more := len(m.Transfers) - mostTransfers; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}

func transfer(t contract.Transfer) string {
	text := fmt.Sprintf("%s  %s  ", column(t.Client.Name, 16), column(t.File, 32))
	switch {
	case t.State != contract.TransferStateReceiving:
		return text + string(t.State) + " " + size(t.Bytes)
	case t.TotalBytes != nil && *t.TotalBytes > 0:
		share := min(1, float64(t.Bytes)/float64(*t.TotalBytes))
		text += fmt.Sprintf("%s %3.0f %% of %s, ", bar(share, 16), 100*share, size(*t.TotalBytes))
	default:
		text += size(t.Bytes) + ", "
	}
	text += size(int64(t.Rate)) + "/s"
	if t.SecondsLeft != nil {
		text += ", " + age(time.Duration(*t.SecondsLeft*float64(time.Second))) + " left"
	}
	return text
}

// likeness marks a client whose name looks like that of an account beside it.
func (m model) likeness(c *contract.ClientRef) string {
	if c == nil || c.LooksLike == nil {
		return ""
	}
	return " " + m.paint("(looks like "+program.Printable(*c.LooksLike)+")", warn)
}

// column cuts or fills untrusted text to a width.
func column(text string, width int) string {
	text = ansi.Truncate(program.Printable(text), width, "…")
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

func (m model) activity(room int) []string {
	if room < 1 || len(m.Activities) == 0 {
		return nil
	}
	lines := []string{"", m.paint("Activity", bold)}
	for _, a := range m.Activities[:min(len(m.Activities), room)] {
		lines = append(lines, "  "+m.happened(a))
	}
	return lines
}

func (m model) happened(a contract.Activity) string {
	mark := m.paint("✓", good)
	switch a.Outcome {
	case contract.OutcomeWarning:
		mark = m.paint("!", warn)
	case contract.OutcomeFailed:
		mark = m.paint("✗", bad)
	}
	text := fmt.Sprintf("%s %s %-14s", a.At.Local().Format(time.TimeOnly), mark, strings.ReplaceAll(string(a.Kind), "_", " "))
	var parts []string
	if a.Client != nil {
		parts = append(parts, program.Printable(a.Client.Name)+m.likeness(a.Client))
	}
	if a.File != nil {
		file := program.Printable(*a.File)
		if a.Version != nil {
			file += fmt.Sprintf(" (version %d)", *a.Version)
		}
		parts = append(parts, file)
	}
	if a.Bytes != nil {
		parts = append(parts, size(*a.Bytes))
	}
	if a.Detail != nil {
		parts = append(parts, program.Printable(*a.Detail))
	}
	return text + strings.Join(parts, ", ")
}

func size(n int64) string { return program.Size(uint64(max(0, n))) }

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}

// age is a duration in its two largest units.
func age(d time.Duration) string {
	day := 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd %dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

func bar(share float64, width int) string {
	filled := int(share * float64(width))
	return "[" + strings.Repeat("=", filled) + strings.Repeat(" ", width-filled) + "]"
}

// sparkline draws values next to each other, the highest as high as it goes.
func sparkline(values []float64) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	highest := 0.0
	for _, v := range values {
		highest = max(highest, v)
	}
	var line strings.Builder
	for _, v := range values {
		level := 0
		if highest > 0 {
			level = int(math.Round(v / highest * float64(len(levels)-1)))
		}
		line.WriteRune(levels[level])
	}
	return line.String()
}
