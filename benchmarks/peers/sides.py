"""The programs that compare_step.py times against each other."""

import os
import pathlib
import pty
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile


class Served:
    """A process that times steps on request: it prints "ready", then for each line N it runs N steps and
    prints the median milliseconds of one."""

    def __init__(self, name, command, threads, environment=()):
        self.name, self.errors = name, tempfile.TemporaryFile("w+")
        self.command = [str(word) for word in command]
        self.environment = os.environ | {"OMP_NUM_THREADS": str(threads)} | dict(environment)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env=self.environment,
        )

    def wait_ready(self):
        if self.read() != "ready":
            self.fail('did not print "ready"')

    def measure(self, steps):
        try:
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail("ended")
        answer = self.read()
        try:
            return float(answer)
        except ValueError:
            self.fail(f"answered '{answer}' instead of milliseconds")

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.fail("ended")
        return line.strip()

    def peak_mb(self):
        """Peak resident memory so far, or None where the system does not tell."""
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        return next((int(l.split()[1]) / 1024 for l in status.splitlines() if l.startswith("VmHWM")), None)

    def fail(self, what):
        self.close()
        self.errors.seek(0)
        message = self.errors.read().strip()
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {self.name} {what}" + (f":\n{message}" if message else ""))

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Llmc(Served):
    """llm.c's CPU trainer, which times its own steps and knows no turns: it is stopped (SIGSTOP) while the
    others have theirs.

    Its time of a step that was stopped midway means nothing, so the first step to end after every start
    and every continuation does not count. What it does between steps (validation, samples) is outside
    its times. It ends after 41 steps and is then started again."""

    STEP = re.compile(r"step \d+: train loss \S+ \(took ([0-9.]+) ms\)")

    def start(self):
        # To a terminal it writes line by line, to a pipe by the block.
        self.terminal, its_end = pty.openpty()
        self.unread, self.ended, self.steps = b"", False, 0
        program = pathlib.Path(self.command[0]).resolve()
        self.process = subprocess.Popen(
            [str(program)], cwd=program.parent, stdin=subprocess.DEVNULL, stdout=its_end, stderr=self.errors,
            env=self.environment,
        )
        os.close(its_end)

    def wait_ready(self):
        if self.next_step() is None:
            self.fail("ended before its first step")
        self.stop()

    def measure(self, steps):
        self.process.send_signal(signal.SIGCONT)
        times, whole = [], False  # whole: the next step to end began in this turn
        while len(times) < steps:
            ms = self.next_step()
            if ms is None:
                self.restart()
            elif whole:
                times.append(ms)
            whole = ms is not None
        self.stop()
        return statistics.median(times)

    def restart(self):
        if self.process.wait() != 0:
            self.fail(f"ended with exit code {self.process.returncode}")
        if self.steps < 2:
            self.fail(f"ended after {self.steps} steps: too few to time")
        os.close(self.terminal)
        self.start()

    def stop(self):
        """Stops it and forgets what it has printed meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        if self.process.returncode is None:  # it may have ended by itself
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        while not self.ended and select.select([self.terminal], [], [], 0)[0]:
            self.receive()
        self.unread = b""

    def next_step(self):
        """Milliseconds of the next step that ends, None at the end of the program."""
        while True:
            *lines, rest = self.unread.split(b"\n")
            for index, line in enumerate(lines):
                if found := self.STEP.fullmatch(line.decode(errors="replace").strip()):
                    self.unread = b"\n".join([*lines[index + 1 :], rest])
                    self.steps += 1
                    return float(found[1])
            self.unread = rest
            if self.ended:
                return None
            self.receive()

    def receive(self):
        try:
            read = os.read(self.terminal, 65536)
        except OSError:  # EIO: nobody has the other end open
            read = b""
        self.ended = not read
        self.unread += read

    def close(self):
        self.process.kill()
        self.process.wait()
