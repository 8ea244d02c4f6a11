import { tasks } from '../../tasks'

/** POST /thumbnails: 202 { uuid } */
export async function POST(request: Request) {
  const { image, widths } = await request.json().catch(() => ({}))
  if (typeof image !== 'string' || !Array.isArray(widths)) {
    return Response.json({ error: 'image and widths are required' }, { status: 400 })
  }
  const uuid = await tasks().addTask({ operation: 'thumbnails', data: { image, widths } })
  return Response.json({ uuid }, { status: 202 })
}
