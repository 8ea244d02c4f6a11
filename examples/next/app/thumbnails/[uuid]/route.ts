import { tasks } from '../../../tasks'

/** GET /thumbnails/<uuid>: 200 { status, progress, result, error } */
export async function GET(_: Request, { params }: { params: Promise<{ uuid: string }> }) {
  const { uuid } = await params
  const task = await tasks().findTask({ uuid })
  if (!task) return Response.json({ error: 'there is no such task' }, { status: 404 })
  const { status, progress, result, error } = task
  return Response.json({ status, progress, result, error: error?.message })
}
