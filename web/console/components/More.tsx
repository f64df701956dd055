import { Button } from "@mantine/core"
import classes from "./More.module.css"

/** Fetches the next page of a list. */
export function More(props: {
  query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }
}) {
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = props.query
  if (!hasNextPage) return null
  return (
    <div className={classes.more}>
      <Button
        variant="default"
        size="xs"
        loading={isFetchingNextPage}
        onClick={() => fetchNextPage()}
      >
        Show more
      </Button>
    </div>
  )
}
