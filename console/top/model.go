package top

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"coffer/console/contract"
)

// keptRates is how many seconds of throughput are shown.
const keptRates = 60

// A model is what is shown. It is a value: each message makes a new one.
type model struct {
	url           string
	plain         bool // no colours, and all of it
	width, height int  // of the terminal; 0: not known
	now           time.Time

	Snapshot
	seen    bool      // there were figures
	away    time.Time // since when there is no answer; zero while there is
	trouble string    // why
	rates   []float64 // bytes per second, in both directions; the newest last
}

type tick time.Time

func nextTick() tea.Cmd {
	return tea.Tick(time.Second, func(now time.Time) tea.Msg { return tick(now) })
}

// Init begins to count seconds, so that the time without an answer grows on the
// screen.
func (m model) Init() tea.Cmd { return nextTick() }

// Update takes what comes: keys, the terminal's size, the server's events.
func (m model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.KeyPressMsg:
		switch message.String() {
		case "q", "Q", "esc", "ctrl+c":
			return m, tea.Quit
		}
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
	case tick:
		m.now = time.Time(message)
		return m, nextTick()
	}
	return m.apply(message), nil
}

// apply applies one event of the server.
func (m model) apply(event any) model {
	switch event := event.(type) {
	case connected:
		m.Snapshot, m.seen, m.away = event.Snapshot, true, time.Time{}
	case contract.Stats:
		m.Stats = event
		total := event.ReceiveRate + event.SendRate
		m.rates = append(m.rates[max(0, len(m.rates)-keptRates+1):len(m.rates):len(m.rates)], total)
		if event.Uploads == 0 {
			m.Transfers = nil
		}
	case contract.Activity:
		for _, a := range m.Activities {
			if a.Id == event.Id {
				return m // it was in the list already
			}
		}
		m.Activities = append([]contract.Activity{event}, m.Activities[:min(len(m.Activities), keptActivities-1)]...)
	case contract.TransferEvent:
		m.Transfers = event.Transfers
	case lost:
		if m.away.IsZero() {
			m.away, m.rates = event.at, nil
		}
		m.trouble = event.err.Error()
	}
	return m
}

// View is the whole screen.
func (m model) View() tea.View {
	v := tea.NewView(m.text())
	v.AltScreen = true
	v.WindowTitle = "coffer-server top"
	return v
}
