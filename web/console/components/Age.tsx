import { useInterval } from "@mantine/hooks"
import { useState } from "react"
import { useFormat } from "../../shared/hooks/preferences"

/** How long ago something was, which grows while one looks at it. */
export function Age(props: { at: string; className?: string }) {
  const [, tick] = useState(0)
  useInterval(() => tick((n) => n + 1), 20_000, { autoInvoke: true })
  const format = useFormat()
  const at = new Date(props.at)
  return (
    <time dateTime={props.at} title={format.date(at)} className={props.className}>
      {format.age(at)}
    </time>
  )
}
