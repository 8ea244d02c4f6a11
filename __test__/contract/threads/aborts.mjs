// A runner that waits for its signal, and says what the reason is.

import { once } from 'node:events'

export default async ({ abortSignal, logger, data }) => {
  logger.info('waits')
  await once(abortSignal, 'abort')
  const { reason } = abortSignal
  const { name, code, cause, message } = reason
  const isSame = reason === abortSignal.reason && reason instanceof Error
  logger.info('heard', { name, code, cause, message, given: reason.reason, isSame })
  if (data?.returns) return 'all the same'
  throw reason
}
