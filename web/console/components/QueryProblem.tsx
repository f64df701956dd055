import { Button } from "@mantine/core"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import type { Problem } from "../../shared/problem"

/** Why a list could not be fetched, and a button that tries again; nothing where it could. */
export function QueryProblem(props: {
  query: { problem: Problem | undefined; isFetching: boolean; refetch: () => unknown }
}) {
  const { problem, isFetching, refetch } = props.query
  if (!problem) return null
  return (
    <ProblemAlert
      problem={problem}
      action={
        <Button size="xs" variant="default" loading={isFetching} onClick={() => refetch()}>
          Try again
        </Button>
      }
    />
  )
}
