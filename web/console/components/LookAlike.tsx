import { Badge, Tooltip } from "@mantine/core"
import type { ClientOfServer } from "../api/client"

/** Says of a client whose name is hard to tell from another one which that is. */
export function LookAlike(props: { client: ClientOfServer }) {
  const { looks_like } = props.client
  if (!looks_like) return null
  return (
    <Tooltip label="Two clients whose names are hard to tell apart: their fingerprints are not">
      <Badge component="span" variant="default" size="sm" fw={500} tt="none" maw="100%">
        looks like {looks_like}
      </Badge>
    </Tooltip>
  )
}
