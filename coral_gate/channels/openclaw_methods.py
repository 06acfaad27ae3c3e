"""
What a browser may ask of OpenClaw through the gate: names of methods, by version, and why.

What is in no table is refused. OpenClaw's own list of what it offers is no substitute: methods exist that it does not list,
among them one that makes a pairing code. `docs/control.md` tells operators what is refused and why.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen


@frozen
class MethodTable:
    """
    The methods of one version of OpenClaw.

    :param version: year and month of the release that the names were tried against.
    :param allowed: what passes.
    :param watched: those of them whose answers hold addresses that the browser cannot reach as they are.
    :param acts: those of them that a page calls when a person does something, and not on its own.
    """

    version: str
    allowed: frozenset[str]
    watched: frozenset[str]
    acts: frozenset[str]


# The conversation itself. Not chat.inject, which writes into the transcript in the assistant's name.
_CHAT: Final = """
    chat.abort chat.history chat.message.get chat.metadata chat.send chat.startup chat.toolTitles
    agent.wait commands.list tools.catalog tools.effective
"""

# Sessions and how they are shown. Not those that leave the sandbox or open it: startTerminal, publicShare, dispatch, move,
# pluginPatch, files.set, files.reveal, github.publish, storage and cleanup.
_SESSIONS: Final = """
    sessions.abort sessions.activitySummary.ensure sessions.branches.list sessions.branches.switch
    sessions.catalog.archive sessions.catalog.continue sessions.catalog.list sessions.catalog.read
    sessions.compact sessions.companion.ask sessions.companion.reset sessions.companion.state
    sessions.create sessions.delete sessions.describe sessions.diff sessions.files.get sessions.files.list sessions.fork
    sessions.get sessions.github.options sessions.github.status sessions.goal.clear sessions.goal.update
    sessions.groups.defaults sessions.groups.delete sessions.groups.list sessions.groups.put sessions.groups.rename
    sessions.groups.update sessions.list sessions.messages.subscribe sessions.messages.unsubscribe
    sessions.observer.visibility sessions.patch sessions.patchMany sessions.preview sessions.recover sessions.reset
    sessions.resolve sessions.rewind sessions.search sessions.send sessions.setInvolvement sessions.subscribe
    sessions.title.prepare sessions.usage sessions.usage.logs sessions.usage.timeseries sessions.viewers.set
    session.discussion.info session.members.list session.members.listEvidence session.suggestions.list
    session.suggestions.resolve session.typing
"""

# What the agent asks of its person, and what it did. Not exec.approvals.*, which sets what is never asked again.
_DECISIONS: Final = """
    approval.get approval.history approval.resolve exec.approval.get exec.approval.grants.list exec.approval.grants.revoke
    exec.approval.list exec.approval.resolve openclaw.approval.list plugin.approval.list plugin.approval.resolve
    question.get question.list question.resolve
    taskSuggestions.accept taskSuggestions.dismiss taskSuggestions.list
    tasks.cancel tasks.dismiss tasks.get tasks.history tasks.list tasks.retry
    mentions.dismiss mentions.list progressCard.get progressCard.refresh
"""

# Reading what the agents are and made. Writing their files, and starting, preparing or entering environments, is for the agent.
_AGENTS: Final = """
    agent.identity.get agents.files.get agents.files.list agents.list agents.workspace.get agents.workspace.list
    artifacts.download artifacts.get artifacts.list board.get canvas.document.preview canvas.document.view
    doctor.memory.status environments.list environments.session.status environments.status memory.search projects.list
    skills.detail skills.library.list skills.library.read skills.proposals.inspect skills.proposals.list skills.search
    skills.securityVerdicts skills.skillCard skills.status skills.workshop.read
    transcripts.get transcripts.list transcripts.status worktrees.list
"""

# Reading schedules. A job may be a shell command, so that adding, changing or running one is having a shell.
_SCHEDULES: Final = "cron.get cron.list cron.runs cron.status last-heartbeat"

# Reading settings and state: OpenClaw blacks out the secrets in config.get. Nothing that changes the gateway: it could
# replace the password that the gate signs in with, and lock the gate out.
_STATE: Final = """
    audit.activity.list audit.list audit.run.inspect channels.status config.get config.schema config.schema.lookup
    health hooks.status logs.tail models.authStatus models.list node.list status system-presence system.info
    talk.catalog tts.status update.status usage.cost usage.status webSearch.status
"""

# What the pages themselves need: plugins' tabs and surfaces, themes, and a person's own preferences.
_PAGES: Final = """
    controlUi.githubDetail controlUi.githubPreview controlUi.linkPreview controlUi.sessionPreview
    controlUi.sessionPullRequests.checks controlUi.sessionPullRequests.subscribe
    plugin.surface.refresh plugins.catalog.browse plugins.catalog.categories plugins.catalog.get plugins.controlUi.list
    plugins.controlUi.report plugins.inspect plugins.list plugins.search plugins.skills.read plugins.uiDescriptors
    themes.get themes.list themes.set users.list users.mentionable users.prefs.get users.prefs.set users.self
    users.setAvatar users.setDisplayName
"""

# A page subscribes, lists and refreshes all day long beside somebody who has left.
_ACTS: Final = """
    approval.resolve chat.abort chat.send exec.approval.resolve plugin.approval.resolve question.resolve session.typing
    sessions.abort sessions.companion.ask sessions.compact sessions.create sessions.delete sessions.fork sessions.reset
    sessions.rewind sessions.send taskSuggestions.accept tasks.cancel tasks.retry
"""

_WATCHED: Final = "board.get canvas.document.preview canvas.document.view plugin.surface.refresh plugins.uiDescriptors"

OPENCLAW_2026_9: Final = MethodTable(
    "2026.9",
    frozenset(" ".join((_CHAT, _SESSIONS, _DECISIONS, _AGENTS, _SCHEDULES, _STATE, _PAGES)).split()),
    frozenset(_WATCHED.split()),
    frozenset(_ACTS.split()),
)
"""Tried against OpenClaw 2026.9.6, protocol 4."""
