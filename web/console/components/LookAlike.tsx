import { Badge, Tooltip } from "@mantine/core"
import type { ClientOfServer } from "../api/client"

/** Says of a client whose name is hard to tell from another one which that is. */
export function LookAlike(props: { client: ClientOfServer }) {
  const { looks_like } = props.client
  if (!looks_like) return null
  return (
    <Tooltip label="The names of these two clients look alike. Compare their fingerprints.">
      <Badge component="span" variant="default" size="sm" fw={500} tt="none" maw="100%">
        looks like {looks_like}
      </Badge>
    </Tooltip>
  )
}
