//! zenfloe-zendesk
