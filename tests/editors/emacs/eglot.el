;;; eglot.el --- with eglot  -*- lexical-binding: t -*-

(unless (require 'eglot nil t)
  (say "without" "eglot")
  (kill-emacs))
(setq eglot-sync-connect 20 eglot-autoshutdown nil eglot-confirm-server-initiated-edits nil)
(load (getenv "RECIPE") nil t)

(defun client-ready-p () (eglot-managed-p))

(defun client-tell-changes ()
  ;; No idle timer runs in batch.
  (eglot--signal-textDocument/didChange))

(defun client-diagnostics ()
  (flymake-start)
  (mapcar (lambda (one) (list (flymake-diagnostic-beg one) (flymake-diagnostic-end one) (flymake-diagnostic-text one)))
          (flymake-diagnostics)))

(defun client-fix-all ()
  (let* ((server (eglot--current-server-or-lose))
         (found (jsonrpc-request server :textDocument/codeAction
                                 (list :textDocument (eglot--TextDocumentIdentifier)
                                       :range '(:start (:line 0 :character 0) :end (:line 0 :character 0))
                                       :context '(:diagnostics [] :only ["source.fixAll"])))))
    (mapc (lambda (action)
            (let ((full (if (plist-get action :edit) action (jsonrpc-request server :codeAction/resolve action))))
              (eglot--apply-workspace-edit (plist-get full :edit))))
          found)))

(defun client-stop () (eglot-shutdown (eglot-current-server) nil 5))

(find-file (getenv "FILE"))
;; `eglot-ensure' connects after the next command, and there is none in batch.
(setq-default project-find-functions (list (lambda (folder) (cons 'transient folder))))
(unless (eglot-managed-p) (apply #'eglot (eglot--guess-contact)))
(steps)
