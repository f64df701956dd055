import { SimpleGrid } from "@mantine/core"
import { useMemo } from "react"
import { useFormat } from "../../shared/hooks/preferences"
import type { Sample, Window } from "../api/client"
import { useHistory } from "../app/queries"
import { Chart } from "../components/Chart"
import { QueryProblem } from "../components/QueryProblem"

const seconds: Record<Window, number> = { hour: 3_600, day: 86_400 }

/** So many steps the charts go over at least. */
const leastSteps = 18

const none: Sample[] = []

/** What went on in the last hour or day. Loaded when a page shows it: it draws with a library of its own. */
export function Charts(props: { window: Window }) {
  const history = useHistory(props.window)
  const format = useFormat()
  const samples = history.data?.samples ?? none
  const step = history.data?.step_seconds ?? 10
  // While the other window is on its way, the one at hand stays.
  const window = history.data?.window ?? props.window

  const drawn = useMemo(() => {
    const of = (value: (sample: Sample) => number) => samples.map(value)
    const times = of((s) => Date.parse(s.at) / 1_000)
    const to = times.at(-1) ?? Date.now() / 1_000
    // A server that has just begun is seen close up.
    const begun = Math.min(times[0] ?? to, to - leastSteps * step)
    return {
      time: { times, from: Math.max(begun, to - seconds[window]), to },
      throughput: [
        { label: "in", color: "--coffer-accent", values: of((s) => s.received / step) },
        { label: "out", color: "--coffer-second", values: of((s) => s.sent / step) },
      ],
      requests: [
        { label: "requests", color: "--coffer-accent", values: of((s) => s.requests / step) },
      ],
      failures: [{ label: "failed", color: "--coffer-bad", values: of((s) => s.failures) }],
      connections: [
        { label: "connections", color: "--coffer-accent", values: of((s) => s.connections) },
      ],
    } as const
  }, [samples, step, window])

  const perStep = step < 60 ? `${step} seconds` : "a minute"
  const number = (value: number) =>
    format.number(value >= 10 ? Math.round(value) : Math.round(10 * value) / 10)
  return (
    <>
      <QueryProblem query={history} />
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xl" verticalSpacing="lg">
        <Chart title="Throughput" {...drawn.time} lines={drawn.throughput} format={format.rate} />
        <Chart title="Requests a second" {...drawn.time} lines={drawn.requests} format={number} />
        <Chart
          title={`Failed requests in ${perStep}`}
          {...drawn.time}
          lines={drawn.failures}
          format={number}
          whole
        />
        <Chart
          title="Connections"
          {...drawn.time}
          lines={drawn.connections}
          format={number}
          whole
        />
      </SimpleGrid>
    </>
  )
}
