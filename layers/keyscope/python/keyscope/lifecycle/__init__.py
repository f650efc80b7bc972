"""How accounts, service accounts, apps and keys are created, changed and deleted.

May import `authorize`, `access` and `model`, and no AWS SDK. Start with `operations`. `directory`
is the storage port; `management` decides who may do what.
"""
