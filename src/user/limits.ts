// Limits of the user-space driver that the language checks before a run, apart from the driver itself.

/** Commands that one task can queue for a submission. */
export const commandsMax = 64;

/** Commands that a task's command buffer holds: those, and updates of the user-space driver in front of them. */
export const bufferCommands = 96;
