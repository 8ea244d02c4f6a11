// What the options `telemetry`, `traces` and `mirrorLogs` promise of types.

import * as api from '@opentelemetry/api'
import { type LogLevel, Tasker, type TaskerOptions, type TelemetryApi } from '../../index'
import { is } from './equal'

// The package is what the option takes, as it is.
const telemetry: TelemetryApi = api
new Tasker({ telemetry: api, traces: 'child', mirrorLogs: 'info', logger: console })
new Tasker({ telemetry, traces: undefined, mirrorLogs: false })
is<'link' | 'child' | undefined>()({} as TaskerOptions['traces'], true)
is<LogLevel | false | undefined>()({} as TaskerOptions['mirrorLogs'], true)
// @ts-expect-error a part of the package is not enough
new Tasker({ telemetry: api.trace })
// @ts-expect-error no such style
new Tasker({ telemetry: api, traces: 'parent' })
// @ts-expect-error a level, and no switch
new Tasker({ mirrorLogs: true, logger: console })
