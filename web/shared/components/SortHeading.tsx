import { Table, UnstyledButton } from "@mantine/core"
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react"
import classes from "./Table.module.css"

export type Sort<Column> = { by: Column; descending: boolean }

/** The heading of a column, which sorts by it. */
export function SortHeading<Column extends string>(props: {
  column: Column
  sort: Sort<Column>
  onSort: (column: Column) => void
  className?: string
  /** For a column of numbers, which stand at its end: the heading does as well. */
  end?: boolean
  children: string
}) {
  const active = props.sort.by === props.column
  const Arrow = props.sort.descending ? IconArrowDown : IconArrowUp
  return (
    <Table.Th
      className={props.className}
      aria-sort={active ? (props.sort.descending ? "descending" : "ascending") : "none"}
    >
      <UnstyledButton
        className={classes.heading}
        data-end={props.end || undefined}
        onClick={() => props.onSort(props.column)}
      >
        {props.children}
        <Arrow size={14} aria-hidden style={{ opacity: active ? 1 : 0 }} />
      </UnstyledButton>
    </Table.Th>
  )
}
