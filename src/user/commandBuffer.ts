// The command buffer of a task in user space, that of Mesa's svga winsys: commands one after the other, submitted together.
import type { SvgaCommand } from '../hardware/svga/commands';
import type { Engine } from '../routine/engine';
import { bufferCommands } from './limits';

/** Puts a command into the running task's command buffer, at place `index`; one access. */
export function queueCommand(k: Engine, index: number, command: SvgaCommand): void {
  const buffer = k.the('user_commands', 'user_command_buffer');
  buffer.commands.set(k.task * bufferCommands + index, command);
}
