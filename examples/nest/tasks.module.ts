// The tasker as a provider: it starts with the application and closes after the last request.

import { setTimeout as sleep } from 'node:timers/promises'
import {
  Injectable,
  Logger,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common'
import { Tasker } from 'tasker'

export interface Operations {
  thumbnails: { data: { image: string; widths: number[] }; result: { files: string[] } }
}

/** Stands for a service of yours that runners use. */
@Injectable()
export class Images {
  async resize(image: string, width: number, signal: AbortSignal) {
    await sleep(20, undefined, { signal })
    return `${image}-${width}.webp`
  }
}

@Injectable()
export class Tasks extends Tasker<Operations> implements OnModuleInit, OnApplicationShutdown {
  private readonly log = new Logger(Tasks.name)

  constructor(private readonly images: Images) {
    // Beside package.json, wherever the process was started.
    super({ store: new URL('../tasks.db', import.meta.url) })
  }

  async onModuleInit() {
    this.on('task.failed', (uuid, error) => this.log.error(`task ${uuid} failed: ${error}`))
    this.assignRunner('thumbnails', async ({ data, abortSignal, progress }) => {
      const files: string[] = []
      for (const width of data.widths) {
        files.push(await this.images.resize(data.image, width, abortSignal))
        progress(files.length, data.widths.length, 'files')
      }
      return { files }
    })
    await this.start()
  }

  async onApplicationShutdown() {
    await this.close({ timeout: '10s' })
  }
}

@Module({ providers: [Images, Tasks], exports: [Tasks] })
export class TasksModule {}
