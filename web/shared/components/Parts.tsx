import { Fragment } from "react"

/** Small facts in a row, "12 MB of 48 MB · 31 MB/s", broken over lines between them only. What is false is left out. */
export function Parts(props: { parts: (string | false | undefined)[] }) {
  const parts = props.parts.filter((part) => typeof part === "string")
  return parts.map((part, i) => (
    <Fragment key={part}>
      {i > 0 && " · "}
      <span style={{ whiteSpace: "nowrap" }}>{part}</span>
    </Fragment>
  ))
}
